//! Archives, disk images, programs and names.

use super::{PROGRAM, all, build::*, inspected, links, strict, survives_damage};
use crate::file::{
    budget::{Budget, MAX_DEPTH, MAX_ENTRIES},
    compressed,
    kind::Kind,
};

const REJECTED: &[&str] = &["reject executable_attachment"];

#[test]
fn a_program_is_found_in_every_archive_whatever_its_name() {
    for (name, archive) in [
        ("a.zip", zip(&[("readme.txt", b"hello"), ("photo.jpg", PROGRAM)])),
        ("a.zip", zip(&[("b.zip", &zip(&[("invoice.pdf", PROGRAM)]))])),
        ("a.tar", tar(&[("notes.txt", b"hello"), ("photo.jpg", PROGRAM)])),
        ("a.tar.gz", gzip(&tar(&[("photo.jpg", PROGRAM)]))),
        ("invoice.pdf.gz", gzip(PROGRAM)),
        ("a.rar", rar_5("photo.jpg", PROGRAM, false)),
        ("a.7z", seven_zip("photo.jpg", PROGRAM)),
        ("a.bz2", BZIP2_PROGRAM.to_vec()),
        ("a.xz", XZ_PROGRAM.to_vec()),
        ("", zip(&[("photo.jpg", PROGRAM)])),
    ] {
        assert_eq!(strict(name, &archive), REJECTED, "{name}");
        survives_damage(name, &archive);
    }
}

#[test]
fn a_program_that_cannot_be_unpacked_is_found_by_its_name() {
    for (name, archive) in [
        ("a.rar", rar_4("setup.exe", 0x33, 0)),
        ("a.cab", cabinet("setup.exe")),
        ("a.cab", cabinet("folder\\addin.xll")),
    ] {
        assert_eq!(all(name, &archive), ["quarantine archive_not_opened", "reject executable_attachment"], "{name}");
        survives_damage(name, &archive);
    }
}

#[test]
fn what_nobody_can_look_into_is_kept_back() {
    let entry = |name| Entry { is_encrypted: true, ..entry(name, b"secret") };
    for (name, archive, expected) in [
        ("a.zip", zip_of(&[entry("a.txt")]), &["quarantine encrypted_archive"][..]),
        ("a.zip", zip_of(&[super::build::entry("b.txt", b"hello"), entry("a.txt")]), &["quarantine encrypted_archive"]),
        ("a.rar", rar_5("a.txt", b"secret", true), &["quarantine encrypted_archive"]),
        ("a.rar", rar_4("a.txt", 0x33, 4), &["quarantine encrypted_archive"]),
        ("a.rar", b"Rar!\x1a\x07\x01\0\0\0\0\0\x05\x04\0\0\0\0".to_vec(), &["quarantine encrypted_archive"]),
        ("a.zip", zip_of(&[entry("a.exe")]), &["quarantine encrypted_archive", "reject executable_attachment"]),
    ] {
        assert_eq!(strict(name, &archive), expected, "{name}");
    }
}

fn nested(levels: usize) -> Vec<u8> {
    (1..levels).fold(zip(&[("a.txt", b"hello")]), |inner, _| zip(&[("inner.zip", &inner)]))
}

fn details(name: &str, content: &[u8]) -> Vec<String> {
    let limits =
        inspected(name, content).findings.into_iter().filter(|finding| finding.code == "archive_limit_exceeded");
    limits.map(|finding| finding.detail).collect()
}

/// Octets that pack well, and to more than a hundredth (a linear congruential generator).
fn noise(octets: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        [(state >> 56) as u8; 64]
    };
    std::iter::repeat_with(next).take(octets / 64).flatten().collect()
}

#[test]
fn every_limit_is_a_finding_that_names_it() {
    let zeros = vec![0; 60 << 20];
    let noise = noise(60 << 20);
    let many = vec![("a.txt", &b""[..]); MAX_ENTRIES + 1];
    let many_files: Vec<(&str, &[u8])> = many.clone();
    for (name, content, expected) in [
        ("a.zip", zip(&[("zeros", &zeros)]), "the file unpacks to more than 100 times its size"),
        ("a.gz", gzip(&zeros), "the file unpacks to more than 100 times its size"),
        ("a.zip", zip(&[("noise", &noise)]), "the file unpacks to more than 50 MB"),
        ("a.tgz", gzip(&noise), "the file unpacks to more than 50 MB"),
        ("a.zip", zip(&many), "the file holds more than 1000 files"),
        ("a.tar", tar(&many_files), "the file holds more than 1000 files"),
        ("a.zip", nested(MAX_DEPTH + 1), "the file holds archives within archives deeper than 4"),
        ("a.zip", nested(60), "the file holds archives within archives deeper than 4"),
        (
            "a.docx",
            zip(&[("[Content_Types].xml", b"<Types/>"), ("word/document.xml", &zeros)]),
            "the file unpacks to more than 100 times its size",
        ),
        (
            "a.xlsx",
            zip(&[("[Content_Types].xml", b"<Types/>"), ("xl/worksheets/sheet1.xml", &zeros)]),
            "the file unpacks to more than 100 times its size",
        ),
    ] {
        assert_eq!(details(name, &content), [expected], "{name}");
    }
    assert_eq!(details("a.zip", &nested(MAX_DEPTH)), [""; 0]);
    assert_eq!(details("a.zip", &zip(&many[1..])), [""; 0]);
}

/// All entries of the directory are one and the same file.
#[test]
fn files_that_share_their_octets_are_ambiguous() {
    let one = zip(&[("a.txt", b"hello hello hello")]);
    let directory_at = one.windows(4).position(|window| window == b"PK\x01\x02").expect("a directory");
    let end_at = one.windows(4).position(|window| window == b"PK\x05\x06").expect("an end");
    let (files, directory, end) = (&one[..directory_at], &one[directory_at..end_at], &one[end_at..]);
    let mut twice = [files, directory, directory, end].concat();
    let size_at = twice.len() - 10;
    twice[size_at..size_at + 4].copy_from_slice(&little(directory.len() * 2));
    assert_eq!(strict("a.zip", &twice), ["quarantine ambiguous_archive"]);
}

#[test]
fn an_archive_that_programs_read_differently_is_ambiguous() {
    let other_name = Entry { local_name: "b.txt", ..entry("a.txt", b"hello") };
    let two = [zip(&[("a.txt", b"hello")]), zip(&[("b.txt", b"hello")])].concat();
    for archive in [zip_of(&[other_name]), two] {
        assert_eq!(strict("a.zip", &archive), ["quarantine ambiguous_archive"]);
    }
    let hidden = [zip(&[("a.txt", PROGRAM)]), zip(&[("b.txt", b"hello")])].concat();
    assert_eq!(strict("a.zip", &hidden), ["quarantine ambiguous_archive", "reject executable_attachment"]);
}

#[test]
fn an_archive_without_a_directory_is_read_by_its_headers() {
    let whole = zip(&[("a.txt", b"hello"), ("b.jpg", PROGRAM)]);
    let directory_at = whole.windows(4).position(|window| window == b"PK\x01\x02").expect("a directory");
    assert_eq!(strict("a.zip", &whole[..directory_at]), REJECTED);
}

#[test]
fn names_that_hide_something_are_findings_inside_archives_too() {
    for (name, expected) in [
        ("invoice.pdf.js", &["quarantine script_attachment", "quarantine double_extension"][..]),
        ("annexe\u{202e}fdp.txt", &["quarantine rtlo_file_name"]),
        ("invoice\u{202d}gpj.txt", &["quarantine rtlo_file_name"]),
        ("invoice                     .js", &["quarantine script_attachment", "quarantine blanks_in_file_name"]),
        (
            "invoice\u{3000}\u{3000}\u{3000}\u{3000}\u{3000}\u{3000}\u{3000}\u{3000}\u{3000}\u{3000}.vbs",
            &["quarantine script_attachment", "quarantine blanks_in_file_name"],
        ),
        ("run.hta\0.txt", &["quarantine script_attachment"]),
    ] {
        assert_eq!(strict("a.zip", &zip(&[(name, b"hello")])), expected, "{name:?}");
    }
}

#[test]
fn what_runs_when_it_is_opened_is_kept_back() {
    let shortcut = b"L\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0\x46";
    let web_archive = b"From: <Saved by Blink>\r\nMIME-Version: 1.0\r\n\r\n--a\r\nContent-Location: cid:a\r\n";
    let notebook = b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3";
    for (name, content) in [
        ("a.lnk", &shortcut[..]),
        ("a.pdf", shortcut),
        ("a.url", b"hello"),
        ("a.txt", b"[InternetShortcut]\r\nURL=http://a.example"),
        ("a.chm", b"ITSF\x03"),
        ("a.doc", b"ITSF\x03"),
        ("a.hta", b"hello"),
        ("a.html", b"<html><HTA:APPLICATION>"),
        ("a.mht", b"hello"),
        ("a.doc", web_archive),
        ("a.shtml", b"<p>hello"),
        ("a.one", b"hello"),
        ("a.bin", notebook),
        ("a.jar", b"hello"),
        ("a.zip", &zip(&[("META-INF/MANIFEST.MF", b"Manifest-Version: 1.0")])),
        ("a.ps1", b"Write-Host 1"),
        ("a.js", b"hello"),
        ("a.wsf", b"hello"),
    ] {
        assert_eq!(strict(name, content), ["quarantine script_attachment"], "{name}");
    }
}

#[test]
fn programs_installers_and_disk_images_are_what_they_are() {
    let fixed_disk = [&[0; 2048][..], b"conectix", &[0; 504]].concat();
    let volume = [&[0; 0x8001][..], b"CD001"].concat();
    let boot = {
        let mut sector = vec![0; 1024];
        sector[54..57].copy_from_slice(b"FAT");
        sector[510..512].copy_from_slice(b"\x55\xaa");
        sector
    };
    for (name, content, expected) in [
        ("a.img", &boot, "quarantine disk_image_attachment"),
        ("a.bin", &boot, "quarantine disk_image_attachment"),
        ("a.iso", &volume, "quarantine disk_image_attachment"),
        ("a.dat", &volume, "quarantine disk_image_attachment"),
        ("a.vhd", &fixed_disk, "quarantine disk_image_attachment"),
        ("a.dat", &fixed_disk, "quarantine disk_image_attachment"),
        ("a.dat", &b"vhdxfile".to_vec(), "quarantine disk_image_attachment"),
        ("a.msi", &b"hello".to_vec(), "reject executable_attachment"),
        ("a.dat", &zip(&[("AndroidManifest.xml", b"")]), "reject executable_attachment"),
        ("a.dat", &zip(&[("AppxManifest.xml", b"")]), "reject executable_attachment"),
    ] {
        assert_eq!(strict(name, content), [expected], "{name}");
    }
}

#[test]
fn the_test_file_of_virus_scanners_is_refused() {
    let test = [super::super::TEST_STRING[0], super::super::TEST_STRING[1]].concat();
    for (name, content) in [("a.txt", test.clone()), ("a.zip", zip(&[("a.txt", &test)])), ("a.gz", gzip(&test))] {
        assert_eq!(strict(name, &content), ["reject virus_test_file"], "{name}");
    }
    assert_eq!(strict("a.txt", &[b"quoted: ", &test[..]].concat()), [""; 0]);
}

#[test]
fn a_calendar_and_a_notebook_lead_to_what_they_carry() {
    let calendar = "BEGIN:VCALENDAR\r\nDESCRIPTION:Keep your password: http://192.0.2.7\r\n /a\r\nATTACH;ENCODING=BASE64;VALUE=BINARY:TVqQAAMAAAAEAAAA//8AAA==\r\nEND:VCALENDAR\r\n";
    assert_eq!(links("a.ics", calendar.as_bytes()), [super::ADDRESS]);
    assert_eq!(strict("a.ics", calendar.as_bytes()), REJECTED);
    let mark = b"\xe7\x16\xe3\xbd\x65\x26\x11\x45\xa4\xc4\x8d\x4d\x0b\x7a\x9e\xac";
    let head = b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3";
    let notebook = [head, &mark[..], &little(PROGRAM.len()), &[0; 16], PROGRAM].concat();
    assert_eq!(strict("a.one", &notebook), ["quarantine script_attachment", "reject executable_attachment"]);
}

/// [`PROGRAM`], packed by bzip2 1.0.8.
const BZIP2_PROGRAM: &[u8] = b"\x42\x5a\x68\x39\x31\x41\x59\x26\x53\x59\xf8\x14\x8e\x12\x00\x00\x05\xc6\x20\xcc\x00\x00\x02\x00\x10\x40\x00\x00\x00\xa0\x00\x22\x1e\x90\xf5\x08\x60\x09\x11\x2a\xf9\xdc\xf1\x77\x24\x53\x85\x09\x0f\x81\x48\xe1\x20";

#[test]
fn no_block_of_an_xz_file_hides_those_behind_it() {
    let (head, blocks) = XZ_PROGRAM.split_at(12);
    let size = usize::from(blocks[0]) * 4 + 4;
    let check = [0; 8];
    // A block of nothing, and one of whose filters we know the name only.
    let empty = [&blocks[..size], &[0; 4], &check].concat();
    let filtered = b"\x03\x01\x03\x01\0\x21\x01\x16\0\0\0\0\0\0\0\0".to_vec();
    assert_eq!(XZ_PROGRAM[7], 4, "a check of eight octets");
    assert_eq!(strict("a.xz", &[head, &empty, blocks].concat()), ["reject executable_attachment"]);
    let behind = [head, &empty, &filtered, &check, blocks].concat();
    assert_eq!(all("a.xz", &behind), ["quarantine archive_not_opened"]);
}

/// [`PROGRAM`], packed by xz 5.4.1.
const XZ_PROGRAM: &[u8] = b"\xfd\x37\x7a\x58\x5a\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x16\x00\x00\x00\x74\x2f\xe5\xa3\x01\x00\x0f\x4d\x5a\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff\x00\x00\x00\xf7\xd8\xb5\x91\x12\x01\x37\x39\x00\x01\x28\x10\xe5\x0b\x6c\x60\x1f\xb6\xf3\x7d\x01\x00\x00\x00\x00\x04\x59\x5a";

/// `hello`, packed by bzip2 and by xz.
const BZIP2_HELLO: &[u8] = b"\x42\x5a\x68\x39\x31\x41\x59\x26\x53\x59\x19\x31\x65\x3d\x00\x00\x00\x81\x00\x02\x44\xa0\x00\x21\x9a\x68\x33\x4d\x07\x33\x8b\xb9\x22\x9c\x28\x48\x0c\x98\xb2\x9e\x80";
const XZ_HELLO: &[u8] = b"\xfd\x37\x7a\x58\x5a\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x16\x00\x00\x00\x74\x2f\xe5\xa3\x01\x00\x04\x68\x65\x6c\x6c\x6f\x00\x00\x00\x00\xb1\x37\xb9\xdb\xe5\xda\x1e\x9b\x00\x01\x1d\x05\xb8\x2d\x80\xaf\x1f\xb6\xf3\x7d\x01\x00\x00\x00\x00\x04\x59\x5a";

#[test]
fn every_stream_of_a_packed_file_is_read() {
    let archive = tar(&[("photo.jpg", PROGRAM)]);
    let (first, second) = archive.split_at(100);
    assert_eq!(strict("a.tar.gz", &[gzip(first), gzip(second)].concat()), REJECTED);
    for (kind, packed) in [
        (Kind::Bzip2, [BZIP2_HELLO, BZIP2_PROGRAM].concat()),
        (Kind::Xz, [XZ_HELLO, XZ_PROGRAM].concat()),
        (Kind::Xz, [XZ_HELLO, &[0; 8], XZ_PROGRAM].concat()),
    ] {
        let contents = compressed::read(kind, &packed, "a", &mut Budget::default());
        let content = contents.inner.into_iter().next().and_then(|inner| inner.content).expect("a file");
        assert_eq!(*content, *[b"hello", PROGRAM].concat(), "{kind}");
        survives_damage("a", &packed);
    }
}

/// An archive of a program, its header changed, with the checksum that fits.
fn tar_with(change: impl Fn(&mut [u8])) -> Vec<u8> {
    let mut archive = tar(&[("photo.jpg", PROGRAM)]);
    change(&mut archive[..512]);
    archive[148..156].fill(b' ');
    let sum: u32 = archive[..512].iter().map(|octet| u32::from(*octet)).sum();
    archive[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    archive
}

#[test]
fn a_tar_is_read_however_it_was_written() {
    let special = |kind: u8, name: &str, content: &[u8]| {
        let mut entry = tar(&[(name, content)]);
        entry[156] = kind;
        entry.truncate(entry.len() - 1024);
        entry
    };
    let with_name = |kind: u8, record: &[u8]| [special(kind, "longer", record), tar(&[("a.txt", b"hello")])].concat();
    let without_size = tar_with(|header| header[124..135].fill(b'0'));
    let script: &[&str] = &["quarantine script_attachment"];
    for (what, archive, expected) in [
        ("before ustar", tar_with(|header| header[257..].fill(0)), REJECTED),
        ("an unknown type", special(b'Q', "photo.jpg", PROGRAM), REJECTED),
        ("a link with content", special(b'1', "photo.jpg", PROGRAM), REJECTED),
        ("a name that begins with NUL", tar_with(|header| header[0] = 0), REJECTED),
        ("behind the end", [tar(&[("a.txt", b"hello")]), tar_with(|_| {})].concat(), REJECTED),
        ("a long name of GNU", with_name(b'L', b"run.vbs\0"), script),
        ("a long name of pax", with_name(b'x', b"16 path=run.vbs\n"), script),
        ("a length of pax", [special(b'x', "longer", b"11 size=16\n"), without_size].concat(), REJECTED),
    ] {
        assert_eq!(strict("a.tar", &archive), expected, "{what}");
        survives_damage("a.tar", &archive);
    }
}

#[test]
fn what_is_unpacked_counts_once() {
    assert_eq!(details("a.tar.gz", &gzip(&tar(&[("noise", &noise(40 << 20))]))), [""; 0]);
}

#[test]
fn a_directory_that_does_not_tell_all_is_ambiguous() {
    let ambiguous = ["quarantine ambiguous_archive", "reject executable_attachment"];
    let whole = zip(&[("a.txt", b"hello"), ("photo.jpg", PROGRAM), ("b.txt", b"hello")]);
    let heads: Vec<usize> = (0..whole.len()).filter(|at| whole[*at..].starts_with(b"PK\x01\x02")).collect();
    let end = whole.windows(4).position(|window| window == b"PK\x05\x06").expect("an end");
    let mut unlisted = [&whole[..heads[1]], &whole[heads[2]..]].concat();
    let size_at = unlisted.len() - 10;
    unlisted[size_at..size_at + 4].copy_from_slice(&little(end - heads[0] - (heads[2] - heads[1])));
    assert_eq!(sorted("a.zip", &unlisted), ambiguous);
    let mut missing = whole.clone();
    missing[heads[2] + 42..heads[2] + 46].copy_from_slice(&little(7));
    assert_eq!(sorted("a.zip", &missing), ambiguous);
    let mut packed_otherwise = whole.clone();
    packed_otherwise[heads[2] + 10] = 0;
    assert_eq!(sorted("a.zip", &packed_otherwise), ambiguous);
}

fn sorted(name: &str, content: &[u8]) -> Vec<String> {
    let mut found = strict(name, content);
    found.sort();
    found.dedup();
    found
}

/// A file that makes an archive a document does not switch off what is asked of archives.
#[test]
fn a_document_is_an_archive_too() {
    let types = ("[Content_Types].xml", &b"<Types/>"[..]);
    let other_name = Entry { local_name: "b.txt", ..entry("a.txt", b"hello") };
    for (document, expected) in [
        (zip_of(&[entry(types.0, types.1), other_name]), "quarantine ambiguous_archive"),
        (zip(&[types, ("photo\u{202e}gnp.xml", b"<a/>")]), "quarantine rtlo_file_name"),
        (zip(&[types, ("photo.png", PROGRAM)]), "reject executable_attachment"),
    ] {
        assert_eq!(strict("a.zip", &document), [expected]);
    }
}

#[test]
fn an_archive_behind_something_else_is_opened_by_its_name() {
    let archive = [b"hello, this is a text\n", &zip(&[("photo.jpg", PROGRAM)])[..]].concat();
    assert_eq!(strict("a.zip", &archive), REJECTED);
    assert_eq!(strict("a.txt", &archive), [""; 0]);
}

#[test]
fn names_that_the_system_obeys_are_known_by_class() {
    let scripts = "searchconnector-ms library-ms search-ms theme settingcontent-ms website scf rdp webloc py pyw sh command ps1 psm1 vbe wsf sct jnlp desktop mobileconfig application appref-ms iqy slk diagcab msc gadget inf reg xla xlam com scr";
    let programs = "xll wll cpl msix appxbundle deb rpm pkg apk";
    let images = "iso img vhd vhdx udf dmg qcow2";
    for (extensions, expected) in [
        (scripts, "quarantine script_attachment"),
        (programs, "reject executable_attachment"),
        (images, "quarantine disk_image_attachment"),
    ] {
        for extension in extensions.split(' ') {
            assert_eq!(strict(&format!("invoice.{extension}"), b"hello"), [expected], "{extension}");
        }
    }
}
