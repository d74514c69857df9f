//! What an attachment is, by its bytes: never by its name or its declared type.

use std::fmt;

use memchr::memmem;

use super::{octets::text_of, zip};

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
    /// A web page with all that belongs to it in one file, which the browser opens with the rights of a local file.
    WebArchive,
    OneNote,
    Zip,
    Tar,
    Gzip,
    Bzip2,
    Xz,
    SevenZip,
    Rar,
    Cabinet,
    OtherArchive,
    OleDocument,
    Pdf,
    Rtf,
    Image,
    Svg,
    Html,
    Calendar,
    /// What macOS keeps beside a file, under the file's name.
    AppleDouble,
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
            Self::JavaProgram
            | Self::Shortcut
            | Self::CompiledHelp
            | Self::HtmlApplication
            | Self::Script
            | Self::WebArchive
            | Self::OneNote => Some(Danger::Script),
            Self::DiskImage => Some(Danger::DiskImage),
            Self::Zip
            | Self::Tar
            | Self::Gzip
            | Self::Bzip2
            | Self::Xz
            | Self::SevenZip
            | Self::Rar
            | Self::Cabinet
            | Self::OtherArchive
            | Self::OleDocument
            | Self::Pdf
            | Self::Rtf
            | Self::Image
            | Self::Svg
            | Self::Html
            | Self::Calendar
            | Self::AppleDouble => None,
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
            Self::WebArchive => "a web archive",
            Self::OneNote => "a OneNote notebook",
            Self::Zip => "a zip archive",
            Self::Tar => "a tar archive",
            Self::Gzip => "a gzip file",
            Self::Bzip2 => "a bzip2 file",
            Self::Xz => "an xz file",
            Self::SevenZip => "a 7z archive",
            Self::Rar => "a RAR archive",
            Self::Cabinet => "a cabinet",
            Self::OtherArchive => "an archive",
            Self::OleDocument => "an OLE document",
            Self::Pdf => "a PDF document",
            Self::Rtf => "an RTF document",
            Self::Image => "an image",
            Self::Svg => "an SVG drawing",
            Self::Html => "an HTML page",
            Self::Calendar => "a calendar",
            Self::AppleDouble => "what macOS keeps beside a file",
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
    (b"LZIP", Kind::OtherArchive),
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
const INSTALLER_CLASS: &[u8] = &[0x84, 0x10, 0x0c, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];

/// ISO 9660 and UDF volume descriptors stand in the first sectors after 32 KiB.
const VOLUME_DESCRIPTORS: &[usize] = &[0x8000, 0x8800, 0x9000];

/// A fixed VHD and a macOS disk image say what they are in their last sector.
const TRAILERS: &[&[u8]] = &[b"conectix", b"koly"];

/// PDF readers look for the header anywhere in the first 1,024 bytes.
const PDF_HEADER_WITHIN: usize = 1024;

/// How far an HTML application may put its tag.
const MARKUP_WITHIN: usize = 64 * 1024;

fn by_magic(content: &[u8]) -> Option<Kind> {
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

fn by_offset(content: &[u8]) -> Option<Kind> {
    if VOLUME_DESCRIPTORS.iter().any(|&at| is_volume_descriptor(content, at)) || is_sectors(content) {
        return Some(Kind::DiskImage);
    }
    let trailer = content.len().checked_sub(512).and_then(|at| content.get(at..)).unwrap_or_default();
    if TRAILERS.iter().any(|magic| trailer.starts_with(magic)) {
        return Some(Kind::DiskImage);
    }
    if bytes_at(content, 257, 5) == Some(b"ustar") {
        return Some(Kind::Tar);
    }
    if content.starts_with(b"BZh") && matches!(bytes_at(content, 4, 6), Some(b"1AY&SY" | b"\x17\x72\x45\x38\x50\x90")) {
        return Some(Kind::Bzip2);
    }
    if bytes_at(content, 7, 7) == Some(b"**ACE**") || bytes_at(content, 2, 3) == Some(b"-lh") {
        return Some(Kind::OtherArchive);
    }
    if content.starts_with(b"RIFF") && bytes_at(content, 8, 4) == Some(b"WEBP") {
        return Some(Kind::Image);
    }
    let head = content.get(..PDF_HEADER_WITHIN).unwrap_or(content);
    memmem::find(head, b"%PDF-").map(|_| Kind::Pdf)
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
    let head = content.get(..MARKUP_WITHIN).unwrap_or(content);
    let text = text_of(head).trim_start().to_ascii_lowercase();
    if text.contains("<hta:application") {
        return Some(Kind::HtmlApplication);
    }
    if text.starts_with("begin:vcalendar") {
        return Some(Kind::Calendar);
    }
    if is_web_archive(&text) {
        return Some(Kind::WebArchive);
    }
    match first_tag(&text)? {
        "svg" | "svg:svg" => Some(Kind::Svg),
        "html" | "head" | "body" | "script" | "!doctype html" | "!doctype" | "meta" | "title" => Some(Kind::Html),
        _ => None,
    }
}

/// The first element, behind declarations and comments. `text` begins with it and is in lower case.
fn first_tag(text: &str) -> Option<&str> {
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.split_once("-->")?.1;
        } else if rest.starts_with("<?xml") || rest.starts_with("<!doctype svg") {
            rest = rest.split_once('>')?.1.trim_start_matches([']', '>']);
        } else if rest.starts_with("<!doctype") {
            return rest.get(1..9);
        } else {
            let tag = rest.strip_prefix('<')?;
            return tag.split(|end: char| end.is_ascii_whitespace() || matches!(end, '>' | '/')).next();
        }
    }
}

/// A message that no mail server has seen and whose parts say where they come from (RFC 2557).
fn is_web_archive(text: &str) -> bool {
    let Some((header, _)) = text.split_once("\r\n\r\n").or_else(|| text.split_once("\n\n")) else { return false };
    let has = |name: &str| header.starts_with(name) || header.contains(&format!("\n{name}"));
    has("mime-version:")
        && text.contains("\ncontent-location:")
        && !["received:", "return-path:", "to:", "message-id:"].into_iter().any(has)
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
            (padded(b"readme.txt", 257, b"ustar\x0000"), Some(Kind::Tar)),
            (b"Dear Ann, the invoice is attached.".to_vec(), None),
            (Vec::new(), None),
            (padded(b"MZ", 3, b""), Some(Kind::WindowsProgram)),
            (padded(b"\xeb\x3c\x90MSDOS5.0", 54, &padded(b"FAT12   ", 456, b"\x55\xaa")), Some(Kind::DiskImage)),
            (padded(b"", 4096, &padded(b"conectix", 512, b"")), Some(Kind::DiskImage)),
            (
                b"<?xml version=\"1.0\"?>\n<!-- drawn -->\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>".to_vec(),
                Some(Kind::Svg),
            ),
            (b"<!-- page --><HTML>".to_vec(), Some(Kind::Html)),
            (b"<?xml version=\"1.0\"?><rss>".to_vec(), None),
            (b"BEGIN:VCALENDAR\r\n".to_vec(), Some(Kind::Calendar)),
            (b"BZh is not a word".to_vec(), None),
            (b"[InternetShortcut]\r\nURL=http://a.example".to_vec(), Some(Kind::Shortcut)),
            (
                b"From: <Saved by Blink>\r\nMIME-Version: 1.0\r\n\r\n--a\r\nContent-Location: http://a.example\r\n"
                    .to_vec(),
                Some(Kind::WebArchive),
            ),
            (
                b"To: a@b.example\r\nMIME-Version: 1.0\r\n\r\n--a\r\nContent-Location: http://a.example\r\n".to_vec(),
                None,
            ),
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
