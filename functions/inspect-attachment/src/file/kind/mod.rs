//! What an attachment is, by its bytes: never by its name or its declared type.

mod signature;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;

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
    Lzma,
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
    /// A header and a body (RFC 5322), or a part of a message with its own fields.
    Message,
    /// What Outlook makes of a message for itself: `winmail.dat`.
    Tnef,
    /// Content in a signature (CMS, RFC 5652).
    SignedMessage,
    EncryptedMessage,
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
        signature::by_magic(content)
            .or_else(|| signature::by_offset(content))
            .or_else(|| signature::is_windows_program(content).then_some(Self::WindowsProgram))
            .or_else(|| text::by_text(content))
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
            | Self::Lzma
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
            | Self::Message
            | Self::Tnef
            | Self::SignedMessage
            | Self::EncryptedMessage
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
            Self::Lzma => "a file packed by LZMA",
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
            Self::Message => "a message",
            Self::Tnef => "a message in the form of Outlook",
            Self::SignedMessage => "signed content",
            Self::EncryptedMessage => "an encrypted message",
            Self::AppleDouble => "what macOS keeps beside a file",
        })
    }
}
