//! What hides behind a packing that nobody undoes, or behind another file's header.

use super::{PROGRAM, all, build::*, strict, survives_damage};

/// As [`seven_zip`], each octet being the difference to the one so many before.
fn seven_zip_of_differences(name: &str, content: &[u8], distance: usize) -> Vec<u8> {
    let before = |at: usize| at.checked_sub(distance).map_or(0, |at| content[at]);
    let packed: Vec<u8> = content.iter().enumerate().map(|(at, octet)| octet.wrapping_sub(before(at))).collect();
    let (size, step) = (u8::try_from(content.len()).expect("small"), u8::try_from(distance - 1).expect("small"));
    let name: Vec<u8> = name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
    let names = u8::try_from(name.len() + 1).expect("small");
    let coders = [2, 0x21, 3, 1, step, 1, 0, 0, 1];
    let streams = [&[1, 4, 6, 0, 1, 9, size, 0, 7, 0x0b, 1, 0][..], &coders, &[0x0c, size, size, 0, 8, 0, 0]].concat();
    let header = [&streams[..], &[5, 1, 0x11, names, 0], &name, &[0, 0]].concat();
    let place = [(packed.len() as u64).to_le_bytes(), (header.len() as u64).to_le_bytes()].concat();
    [b"7z\xbc\xaf\x27\x1c\0\x04\0\0\0\0", &place[..], &[0; 4], &packed, &header].concat()
}

fn lzh(name: &str, method: &[u8; 5], content: &[u8]) -> Vec<u8> {
    let size = little(content.len());
    let length = u8::try_from(name.len()).expect("short");
    let header = [&method[..], &size, &size, &[0; 4], b"\x20\0", &[length], name.as_bytes(), b"\0\0"].concat();
    [&[u8::try_from(header.len()).expect("short"), 0], &header[..], content, b"\0"].concat()
}

fn arj(name: &str, method: u8, content: &[u8]) -> Vec<u8> {
    let header = |kind: u8, name: &str, packed: usize| {
        let first = [&[30, 11, 1, 0, 0, method, kind, 0][..], &[0; 4], &little(packed), &[0; 14]].concat();
        let body = [&first[..], name.as_bytes(), b"\0\0"].concat();
        let size = u16::try_from(body.len()).expect("short").to_le_bytes();
        [b"\x60\xea", &size[..], &body, &[0; 4], &[0; 2]].concat()
    };
    [&header(2, "a.arj", 0)[..], &header(0, name, content.len()), content, b"\x60\xea\0\0"].concat()
}

fn cpio(name: &str, content: &[u8]) -> Vec<u8> {
    let field = |number: usize| format!("{number:08x}");
    let (zero, size, length) = (field(0), field(content.len()), field(name.len() + 1));
    let fields = [&zero[..]; 6].concat() + &size + &[&zero[..]; 4].concat() + &length + &zero;
    let mut archive = format!("070701{fields}{name}\0").into_bytes();
    archive.resize(archive.len().next_multiple_of(4), 0);
    archive.extend_from_slice(content);
    archive
}

#[test]
fn a_filter_that_changes_every_octet_is_undone() {
    for distance in [1, 4] {
        let archive = seven_zip_of_differences("a.dat", PROGRAM, distance);
        assert_eq!(all("a.7z", &archive), ["reject executable_attachment"], "{distance}");
        survives_damage("a.7z", &archive);
    }
}

#[test]
fn names_and_what_is_stored_are_read_in_archives_that_are_not_opened() {
    for (name, archive, expected) in [
        ("a.lzh", lzh("a.vbs", b"-lh5-", b"x"), &["quarantine archive_not_opened", "quarantine script_attachment"][..]),
        ("a.lzh", lzh("a.dat", b"-lh0-", PROGRAM), &["reject executable_attachment"]),
        ("a.lzh", lzh("a.txt", b"-lh5-", b"x"), &["review archive_not_opened"]),
        ("a.arj", arj("a.vbs", 1, b"x"), &["quarantine archive_not_opened", "quarantine script_attachment"]),
        ("a.arj", arj("a.dat", 0, PROGRAM), &["reject executable_attachment"]),
        ("a.cpio", cpio("a.dat", PROGRAM), &["reject executable_attachment"]),
        ("a.cpio", cpio("a.txt", b"hello"), &[]),
        ("a.zst", b"\x28\xb5\x2f\xfd\x04\0".to_vec(), &["quarantine archive_not_opened"]),
        ("a.rar", rar_4("a.html", 0x33, 0), &["quarantine archive_not_opened"]),
        ("a.rar", rar_4("a.jpg", 0x33, 0), &["review archive_not_opened"]),
    ] {
        assert_eq!(all(name, &archive), expected, "{name} {}", archive.escape_ascii());
        survives_damage(name, &archive);
    }
}

#[test]
fn an_archive_behind_another_files_header_is_opened_by_its_name() {
    let front: [&[u8]; 4] = [b"\xff\xd8\xff\xe0\0\0", b"GIF89a\0\0", b"%PDF-1.4\n%%EOF\n", b"<html></html>"];
    for front in front {
        for (name, archive) in [
            ("a.zip", zip(&[("a.js", b"x")])),
            ("a.7z", seven_zip("a.js", b"x")),
            ("a.rar", rar_5("a.js", b"x", false)),
        ] {
            let found = strict(name, &[front, &archive].concat());
            assert!(
                found.contains(&"quarantine script_attachment".to_owned()),
                "{name} {}: {found:?}",
                front.escape_ascii()
            );
        }
    }
    let photo = [b"\xff\xd8\xff\xe0", &zip(&[("a.js", b"x")])[..]].concat();
    assert_eq!(all("a.jpg", &photo), [""; 0]);
}

/// Made by `lzma` of XZ Utils; the program is a header.
#[test]
fn what_lzma_packed_is_unpacked() {
    let packed = include_bytes!("program.lzma");
    assert_eq!(all("a.lzma", packed), ["reject executable_attachment"]);
    survives_damage("a.lzma", packed);
}

#[test]
fn a_uuencoded_file_is_opened() {
    for (text, expected) in [
        (&b"begin 644 a.exe\n#0V%T\n`\nend\n"[..], "reject executable_attachment"),
        (b"no file", "quarantine archive_not_opened"),
    ] {
        assert_eq!(all("a.uue", text), [expected], "{}", text.escape_ascii());
    }
    assert_eq!(all("a.dat", b"we begin 644 things"), [""; 0]);
}
