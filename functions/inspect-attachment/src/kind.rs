//! What an attachment is, by its bytes: never by its name or its declared type.

use std::fmt;

use crate::zip;

/// What the first bytes of an attachment say it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    WindowsProgram,
    ElfProgram,
    MacProgram,
    AndroidProgram,
    /// A class file, or an archive with a Java manifest.
    JavaProgram,
    WindowsInstaller,
    Shortcut,
    CompiledHelp,
    HtmlApplication,
    Script,
    DiskImage,
    Zip,
    OtherArchive,
    OleDocument,
    OneNote,
    Pdf,
    Rtf,
    Image,
    Html,
}

/// What opening an attachment does to the recipient. Ordered: the later, the stricter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Danger {
    /// Mounts as a drive, whose files no longer carry the mark of the web.
    DiskImage,
    /// Runs through an interpreter or a helper that the system brings along.
    Script,
    /// Native code or an installer.
    Executable,
}

impl Kind {
    /// Recognises `content`; `None` for plain text and for everything that is not in the table.
    #[must_use]
    pub fn of(content: &[u8]) -> Option<Self> {
        by_magic(content)
            .or_else(|| by_offset(content))
            .or_else(|| is_windows_program(content).then_some(Self::WindowsProgram))
            .or_else(|| by_markup(content))
    }

    #[must_use]
    pub fn danger(self) -> Option<Danger> {
        match self {
            Self::WindowsProgram
            | Self::ElfProgram
            | Self::MacProgram
            | Self::AndroidProgram
            | Self::WindowsInstaller => Some(Danger::Executable),
            Self::JavaProgram | Self::Shortcut | Self::CompiledHelp | Self::HtmlApplication | Self::Script => {
                Some(Danger::Script)
            }
            Self::DiskImage => Some(Danger::DiskImage),
            Self::Zip
            | Self::OtherArchive
            | Self::OleDocument
            | Self::OneNote
            | Self::Pdf
            | Self::Rtf
            | Self::Image
            | Self::Html => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WindowsProgram => "a Windows program",
            Self::ElfProgram => "a Linux program",
            Self::MacProgram => "a macOS program",
            Self::AndroidProgram => "an Android program",
            Self::JavaProgram => "a Java program",
            Self::WindowsInstaller => "a Windows installer",
            Self::Shortcut => "a Windows shortcut",
            Self::CompiledHelp => "a compiled help file",
            Self::HtmlApplication => "an HTML application",
            Self::Script => "a script",
            Self::DiskImage => "a disk image",
            Self::Zip => "a zip archive",
            Self::OtherArchive => "an archive",
            Self::OleDocument => "an OLE document",
            Self::OneNote => "a OneNote notebook",
            Self::Pdf => "a PDF document",
            Self::Rtf => "an RTF document",
            Self::Image => "an image",
            Self::Html => "an HTML page",
        })
    }
}

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
    (b"Rar!\x1a\x07", Kind::OtherArchive),
    (b"7z\xbc\xaf\x27\x1c", Kind::OtherArchive),
    (b"\x1f\x8b\x08", Kind::OtherArchive),
    (b"BZh", Kind::OtherArchive),
    (b"\xfd7zXZ\0", Kind::OtherArchive),
    (b"MSCF", Kind::OtherArchive),
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
const INSTALLER_CLASS: &[u8] = &[0x84, 0x10, 0x0c, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];

/// ISO 9660 and UDF volume descriptors stand in the first sectors after 32 KiB.
const VOLUME_DESCRIPTORS: &[usize] = &[0x8000, 0x8800, 0x9000];

/// PDF readers look for the header anywhere in the first 1,024 bytes.
const PDF_HEADER_WITHIN: usize = 1024;

/// How far an HTML application may put its tag.
const MARKUP_WITHIN: usize = 64 * 1024;

fn by_magic(content: &[u8]) -> Option<Kind> {
    if content.starts_with(b"PK\x03\x04") || content.starts_with(b"PK\x05\x06") {
        return Some(if zip::is_java_archive(content) { Kind::JavaProgram } else { Kind::Zip });
    }
    if content.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
        return Some(if is_installer(content) { Kind::WindowsInstaller } else { Kind::OleDocument });
    }
    if content.starts_with(b"\xca\xfe\xba\xbe") {
        return Some(fat_binary_or_class(content));
    }
    MAGIC.iter().find(|(magic, _)| content.starts_with(magic)).map(|&(_, kind)| kind)
}

fn by_offset(content: &[u8]) -> Option<Kind> {
    if VOLUME_DESCRIPTORS.iter().any(|&at| is_volume_descriptor(content, at)) {
        return Some(Kind::DiskImage);
    }
    if bytes_at(content, 257, 5) == Some(b"ustar") {
        return Some(Kind::OtherArchive);
    }
    if content.starts_with(b"RIFF") && bytes_at(content, 8, 4) == Some(b"WEBP") {
        return Some(Kind::Image);
    }
    let head = content.get(..PDF_HEADER_WITHIN).unwrap_or(content);
    head.windows(5).any(|window| window == b"%PDF-").then_some(Kind::Pdf)
}

fn is_volume_descriptor(content: &[u8], at: usize) -> bool {
    matches!(bytes_at(content, at + 1, 5), Some(b"CD001" | b"BEA01" | b"NSR02" | b"NSR03"))
}

/// `MZ` alone can begin a sentence; a program has zero bytes in its 64-byte header, which no text has.
fn is_windows_program(content: &[u8]) -> bool {
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

fn by_markup(content: &[u8]) -> Option<Kind> {
    let text = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content).trim_ascii_start();
    let head = text.get(..MARKUP_WITHIN).unwrap_or(text).to_ascii_lowercase();
    if head.windows(16).any(|window| window == b"<hta:application") {
        return Some(Kind::HtmlApplication);
    }
    let is_html =
        [&b"<!doctype html"[..], b"<html", b"<head", b"<body", b"<script"].iter().any(|tag| head.starts_with(tag));
    is_html.then_some(Kind::Html)
}

fn bytes_at(content: &[u8], at: usize, length: usize) -> Option<&[u8]> {
    content.get(at..at.checked_add(length)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn padded(head: &[u8], at: usize, tail: &[u8]) -> Vec<u8> {
        let mut content = head.to_vec();
        content.resize(at, 0);
        content.extend_from_slice(tail);
        content
    }

    fn compound_file(class: &[u8], sector_shift: u8, first_directory_sector: u8) -> Vec<u8> {
        let mut content = vec![0; (usize::from(first_directory_sector) + 2) << sector_shift];
        content[..8].copy_from_slice(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1");
        content[0x1e] = sector_shift;
        content[0x30] = first_directory_sector;
        let entry = (usize::from(first_directory_sector) + 1) << sector_shift;
        content[entry + 0x50..entry + 0x50 + class.len()].copy_from_slice(class);
        content
    }

    #[test]
    fn content_is_recognised_by_its_bytes() {
        for (content, expected) in [
            (padded(b"MZ\x90\0", 64, b"PE\0\0"), Some(Kind::WindowsProgram)),
            (b"MZ\0".to_vec(), Some(Kind::WindowsProgram)),
            (b"MZ is how the name of the town is abbreviated on number plates, by the way.".to_vec(), None),
            (b"\x7fELF\x02\x01\x01".to_vec(), Some(Kind::ElfProgram)),
            (b"\x7fELF\x01".to_vec(), Some(Kind::ElfProgram)),
            (b"\xcf\xfa\xed\xfe\x07\0\0\x01".to_vec(), Some(Kind::MacProgram)),
            (b"\xca\xfe\xba\xbe\0\0\0\x02".to_vec(), Some(Kind::MacProgram)),
            (b"\xca\xfe\xba\xbe\0\0\0\x34".to_vec(), Some(Kind::JavaProgram)),
            (compound_file(INSTALLER_CLASS, 9, 1), Some(Kind::WindowsInstaller)),
            (compound_file(INSTALLER_CLASS, 12, 3), Some(Kind::WindowsInstaller)),
            (compound_file(&[6; 16], 9, 1), Some(Kind::OleDocument)),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec(), Some(Kind::OleDocument)),
            (padded(b"", 0x8001, b"CD001"), Some(Kind::DiskImage)),
            (padded(b"", 0x8801, b"NSR02"), Some(Kind::DiskImage)),
            (b"#!/bin/sh\necho\n".to_vec(), Some(Kind::Script)),
            (b"#@~^AAAAAA==".to_vec(), Some(Kind::Script)),
            (b"<html><HTA:APPLICATION id=x></html>".to_vec(), Some(Kind::HtmlApplication)),
            (b"\xef\xbb\xbf\r\n <!DOCTYPE html><p>hello".to_vec(), Some(Kind::Html)),
            (b"%PDF-1.7\n".to_vec(), Some(Kind::Pdf)),
            (b"\n\njunk before %PDF-1.4".to_vec(), Some(Kind::Pdf)),
            (b"RIFF\x10\0\0\0WEBPVP8 ".to_vec(), Some(Kind::Image)),
            (padded(b"readme.txt", 257, b"ustar\x0000"), Some(Kind::OtherArchive)),
            (b"Dear Ann, the invoice is attached.".to_vec(), None),
            (Vec::new(), None),
        ] {
            assert_eq!(Kind::of(&content), expected, "{:?}", content.escape_ascii().to_string().get(..60));
        }
    }

    #[test]
    fn a_compound_file_that_points_outside_itself_is_a_document() {
        let mut content = compound_file(INSTALLER_CLASS, 9, 1);
        content[0x30..0x34].copy_from_slice(&[0xff; 4]);
        content[0x1e] = 0xff;
        assert_eq!(Kind::of(&content), Some(Kind::OleDocument));
    }
}
