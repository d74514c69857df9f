//! Signatures: octets at known places.

use memchr::memmem;

use super::Kind;
use crate::file::{compressed, other_archive, signed, tar, zip};

/// Magic numbers at offset 0 that need no second look.
const MAGIC: &[(&[u8], Kind)] = &[
    (b"\x7fELF", Kind::ElfProgram),
    (b"\xfe\xed\xfa\xce", Kind::MacProgram),
    (b"\xfe\xed\xfa\xcf", Kind::MacProgram),
    (b"\xce\xfa\xed\xfe", Kind::MacProgram),
    (b"\xcf\xfa\xed\xfe", Kind::MacProgram),
    (b"dex\n", Kind::AndroidProgram),
    (b"L\0\0\0\x01\x14\x02\0", Kind::Shortcut),
    (b"ITSF", Kind::CompiledHelp),
    (b"#!", Kind::Script),
    (b"#@~^", Kind::Script),
    (b"conectix", Kind::DiskImage),
    (b"vhdxfile", Kind::DiskImage),
    (b"QFI\xfb", Kind::DiskImage),
    (b"KDMV", Kind::DiskImage),
    (b"MSWIM\0\0\0", Kind::DiskImage),
    (b"EFI PART", Kind::DiskImage),
    (b"Rar!\x1a\x07", Kind::Rar),
    (b"7z\xbc\xaf\x27\x1c", Kind::SevenZip),
    (b"\x1f\x8b\x08", Kind::Gzip),
    (b"\xfd7zXZ\0", Kind::Xz),
    (b"MSCF\0\0\0\0", Kind::Cabinet),
    (b"\x28\xb5\x2f\xfd", Kind::OtherArchive),
    (b"\x60\xea", Kind::OtherArchive),
    (b"\x1f\x9d", Kind::OtherArchive),
    (b"\x1f\xa0", Kind::OtherArchive),
    (b"LZIP", Kind::OtherArchive),
    (b"\x04\x22\x4d\x18", Kind::OtherArchive),
    (b"7kSt\xa0", Kind::OtherArchive),
    (b"zPQ\x01", Kind::OtherArchive),
    (b"ALZ\x01", Kind::OtherArchive),
    (b"EGGA", Kind::OtherArchive),
    (b"StuffIt (c)", Kind::OtherArchive),
    (b"SIT!", Kind::OtherArchive),
    (b"UHA\x06", Kind::OtherArchive),
    (b"\x78\x9f\x3e\x22", Kind::Tnef),
    (b"!<arch>\ndebian", Kind::ElfProgram),
    (b"\xed\xab\xee\xdb", Kind::ElfProgram),
    (b"xar!\0", Kind::MacProgram),
    (b"DAX\0", Kind::DiskImage),
    (b"Cr24", Kind::Script),
    (b"[InternetShortcut]", Kind::Shortcut),
    (b"\0\x05\x16\x07\0\x02\0\0", Kind::AppleDouble),
    (b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3", Kind::OneNote),
    (b"{\\rt", Kind::Rtf),
    (b"\x89PNG\r\n\x1a\n", Kind::Image),
    (b"\xff\xd8\xff", Kind::Image),
    (b"GIF87a", Kind::Image),
    (b"GIF89a", Kind::Image),
    (b"II*\0", Kind::Image),
    (b"MM\0*", Kind::Image),
];

/// The class identifier of a Windows Installer database, as it stands in the root storage of the compound file.
pub(super) const INSTALLER_CLASS: &[u8] = &[0x84, 0x10, 0x0c, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];

/// ISO 9660 and UDF volume descriptors stand in the first sectors after 32 KiB.
const VOLUME_DESCRIPTORS: &[usize] = &[0x8000, 0x8800, 0x9000];

/// A fixed VHD and a macOS disk image say what they are in their last sector.
const TRAILERS: &[&[u8]] = &[b"conectix", b"koly"];

/// PDF readers look for the header anywhere in the first 1,024 bytes.
const PDF_HEADER_WITHIN: usize = 1024;

pub(super) fn by_magic(content: &[u8]) -> Option<Kind> {
    if content.starts_with(b"PK\x03\x04") || content.starts_with(b"PK\x05\x06") {
        return Some(zip_kind(content));
    }
    if content.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
        return Some(if is_installer(content) { Kind::WindowsInstaller } else { Kind::OleDocument });
    }
    if content.starts_with(b"\xca\xfe\xba\xbe") {
        return Some(fat_binary_or_class(content));
    }
    MAGIC.iter().find(|(magic, _)| content.starts_with(magic)).map(|&(_, kind)| kind)
}

/// Packages are archives with one file that says so.
fn zip_kind(content: &[u8]) -> Kind {
    let has = |name: &[u8]| zip::has_entry(content, name);
    if has(b"META-INF/MANIFEST.MF") {
        Kind::JavaProgram
    } else if has(b"AndroidManifest.xml") {
        Kind::AndroidProgram
    } else if has(b"AppxManifest.xml") || has(b"AppxMetadata/AppxBundleManifest.xml") {
        Kind::WindowsInstaller
    } else {
        Kind::Zip
    }
}

pub(super) fn by_offset(content: &[u8]) -> Option<Kind> {
    if VOLUME_DESCRIPTORS.iter().any(|&at| is_volume_descriptor(content, at)) || is_sectors(content) {
        return Some(Kind::DiskImage);
    }
    let trailer = content.len().checked_sub(512).and_then(|at| content.get(at..)).unwrap_or_default();
    if TRAILERS.iter().any(|magic| trailer.starts_with(magic)) {
        return Some(Kind::DiskImage);
    }
    if bytes_at(content, 257, 5) == Some(b"ustar") || tar::is_header(content) {
        return Some(Kind::Tar);
    }
    if let Some(kind) = signed::kind(content) {
        return Some(kind);
    }
    if content.starts_with(b"BZh") && matches!(bytes_at(content, 4, 6), Some(b"1AY&SY" | b"\x17\x72\x45\x38\x50\x90")) {
        return Some(Kind::Bzip2);
    }
    let is_zoo = bytes_at(content, 20, 4) == Some(b"\xdc\xa7\xc4\xfd");
    let is_other = is_zoo || other_archive::is_lzh(content) || other_archive::is_cpio(content);
    if is_other || bytes_at(content, 7, 7) == Some(b"**ACE**") {
        return Some(Kind::OtherArchive);
    }
    if compressed::is_lzma(content) {
        return Some(Kind::Lzma);
    }
    if content.starts_with(b"RIFF") && bytes_at(content, 8, 4) == Some(b"WEBP") {
        return Some(Kind::Image);
    }
    let head = content.get(..PDF_HEADER_WITHIN).unwrap_or(content);
    // Data of a form (FDF) has the same objects and the same actions.
    let is_pdf = content.starts_with(b"%FDF-") || memmem::find(head, b"%PDF-").is_some();
    is_pdf.then_some(Kind::Pdf)
}

/// The boot sector of a FAT or NTFS volume, or a partition table of one.
fn is_sectors(content: &[u8]) -> bool {
    let is_volume = [(3, &b"NTFS    "[..]), (54, b"FAT"), (82, b"FAT32"), (3, b"EXFAT   "), (512, b"EFI PART")]
        .iter()
        .any(|(at, magic)| bytes_at(content, *at, magic.len()) == Some(magic));
    is_volume && bytes_at(content, 510, 2) == Some(b"\x55\xaa")
}

fn is_volume_descriptor(content: &[u8], at: usize) -> bool {
    matches!(bytes_at(content, at + 1, 5), Some(b"CD001" | b"BEA01" | b"NSR02" | b"NSR03"))
}

/// `MZ` alone can begin a sentence; a program has zero bytes in its 64-byte header, which no text has.
pub(super) fn is_windows_program(content: &[u8]) -> bool {
    content.starts_with(b"MZ") && content.iter().take(64).any(|&byte| byte == 0)
}

/// Both begin with the same magic number. A fat binary counts its architectures where a class file has its version, which begins at 45.
fn fat_binary_or_class(content: &[u8]) -> Kind {
    match bytes_at(content, 4, 4) {
        Some([0, 0, 0, 0..45]) => Kind::MacProgram,
        _ => Kind::JavaProgram,
    }
}

/// Whether the root storage of a compound file has the installer's class ([MS-CFB] §2.2, §2.6.1).
fn is_installer(content: &[u8]) -> bool {
    root_storage_class(content) == Some(INSTALLER_CLASS)
}

fn root_storage_class(content: &[u8]) -> Option<&[u8]> {
    let sector_shift = u32::from(*content.get(0x1e)?).min(20);
    let first_directory_sector = u32::from_le_bytes(bytes_at(content, 0x30, 4)?.try_into().ok()?);
    let sectors_before = usize::try_from(first_directory_sector).ok()?.checked_add(1)?;
    let directory = sectors_before.checked_mul(1 << sector_shift)?;
    bytes_at(content, directory.checked_add(0x50)?, INSTALLER_CLASS.len())
}

fn bytes_at(content: &[u8], at: usize, length: usize) -> Option<&[u8]> {
    content.get(at..at.checked_add(length)?)
}
