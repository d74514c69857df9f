//! What an attachment's file name promises, and how names deceive.

mod extension;

use self::extension::{DOCUMENT_EXTENSIONS, INERT_EXTENSIONS, danger_of_extension};
use crate::file::kind::{Danger, Kind};

/// Characters of a name that a finding shows.
const SHOWN: usize = 100;

/// Blanks in a row that a name may have.
const MAX_BLANKS: usize = 9;

/// A file name as the sender wrote it, after RFC 2231 and RFC 2047 decoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName(String);

impl FileName {
    #[must_use]
    pub fn new(decoded: &str) -> Self {
        Self(decoded.to_owned())
    }

    /// The name as a finding shows it: at most 100 characters, nothing invisible.
    #[must_use]
    pub fn shown(&self) -> String {
        self.0.chars().take(SHOWN).map(|shown| if is_unprintable(shown) { '?' } else { shown }).collect()
    }

    /// What the system does with a file of this name.
    #[must_use]
    pub fn danger(&self) -> Option<Danger> {
        danger_of_extension(&self.extensions().0)
    }

    /// The dangerous last extension, as it stands in our table.
    #[must_use]
    pub fn dangerous_extension(&self) -> Option<String> {
        let (last, _) = self.extensions();
        danger_of_extension(&last).map(|_| last)
    }

    /// Whether a harmless extension stands before the dangerous one: `invoice.pdf.exe`.
    #[must_use]
    pub fn has_double_extension(&self) -> bool {
        let (last, before) = self.extensions();
        danger_of_extension(&last).is_some() && DOCUMENT_EXTENSIONS.contains(&before.as_str())
    }

    /// Whether a character turns the reading direction, so that `annexe` + U+202E + `fdp.exe` shows as `annexeexe.pdf`.
    #[must_use]
    pub fn turns_right_to_left(&self) -> bool {
        self.0.contains(['\u{202b}', '\u{202d}', '\u{202e}', '\u{2067}'])
    }

    /// Whether so many blanks stand in it that what follows is out of sight.
    #[must_use]
    pub fn hides_behind_blanks(&self) -> bool {
        let mut blanks = 0;
        self.0.chars().any(|shown| {
            let is_blank = shown.is_whitespace() || matches!(shown, '\u{2800}' | '\u{3164}' | '\u{115f}' | '\u{ffa0}');
            blanks = if is_blank { blanks + 1 } else { 0 };
            MAX_BLANKS < blanks
        })
    }

    /// Whether the last extension is one of these.
    #[must_use]
    pub(crate) fn ends_in(&self, extensions: &[&str]) -> bool {
        extensions.contains(&self.extensions().0.as_str())
    }

    /// Whether nothing of its kind brings anything along that runs or leads elsewhere by itself, or a folder has the name.
    #[must_use]
    pub(crate) fn is_inert(&self) -> bool {
        self.0.ends_with(['/', '\\']) || INERT_EXTENSIONS.contains(&self.extensions().0.as_str())
    }

    /// The kinds of content that the extension allows; `None` for an extension that claims nothing.
    #[must_use]
    pub fn claims(&self) -> Option<Claim> {
        let (last, _) = self.extensions();
        CLAIMED_BY_EXTENSION.iter().find(|(extensions, _)| extensions.contains(&last.as_str())).map(|&(_, claim)| claim)
    }

    /// The last extension and the one before it, lower case; empty where there is none.
    ///
    /// Windows drops trailing dots and spaces, and an alternate data stream after a colon: so do we.
    fn extensions(&self) -> (String, String) {
        let visible: String = self.0.chars().filter(|&shown| !is_unprintable(shown)).collect();
        let file = visible.rsplit(['/', '\\']).next().unwrap_or_default();
        let file = without_stream(file);
        let mut parts = file.trim_end_matches(['.', ' ']).rsplit('.').map(|part| part.trim().to_lowercase());
        let last = parts.next().unwrap_or_default();
        match parts.next() {
            Some(before) => (last, if parts.next().is_some() { before } else { String::new() }),
            None => (String::new(), String::new()),
        }
    }
}

/// What follows a colon names a stream of the file on NTFS (`setup.exe::$DATA`); where no program is named before it, the colon is
/// one that saving replaces (`Re: invoice.js`).
fn without_stream(file: &str) -> &str {
    let before = file.split(':').next().unwrap_or_default();
    let extension = before.trim_end_matches(['.', ' ']).rsplit_once('.').map(|(_, last)| last.trim().to_lowercase());
    if extension.is_some_and(|last| danger_of_extension(&last).is_some()) { before } else { file }
}

/// The content that fits a file name or a declared type. `None` in it stands for content that is not recognised.
pub type Claim = &'static [Option<Kind>];

const TEXT: Claim = &[None, Some(Kind::Html), Some(Kind::Calendar), Some(Kind::Svg), Some(Kind::Message)];
const PDF: Claim = &[Some(Kind::Pdf)];
const IMAGE: Claim = &[Some(Kind::Image)];
const ZIP: Claim = &[Some(Kind::Zip)];
/// A document with a password is a zip inside an OLE container.
const OFFICE: Claim = &[Some(Kind::Zip), Some(Kind::OleDocument)];
/// Office opens RTF under the old extensions and does not ask.
const OLD_OFFICE: Claim = &[Some(Kind::OleDocument), Some(Kind::Rtf)];
const RTF: Claim = &[Some(Kind::Rtf)];
const SVG: Claim = &[None, Some(Kind::Svg)];
const ARCHIVE: Claim = &[
    Some(Kind::SevenZip),
    Some(Kind::Rar),
    Some(Kind::Gzip),
    Some(Kind::Bzip2),
    Some(Kind::Xz),
    Some(Kind::Lzma),
    Some(Kind::Tar),
    Some(Kind::Cabinet),
    Some(Kind::OtherArchive),
];

const CLAIMED_BY_EXTENSION: &[(&[&str], Claim)] = &[
    (&["pdf"], PDF),
    (&["png", "jpg", "jpeg", "gif", "tif", "tiff", "webp"], IMAGE),
    (&["zip", "odt", "ods", "odp", "epub"], ZIP),
    (&["docx", "xlsx", "pptx", "docm", "xlsm", "pptm"], OFFICE),
    (&["doc", "xls", "ppt"], OLD_OFFICE),
    (&["rtf"], RTF),
    (&["7z", "rar", "gz", "tgz", "bz2", "xz", "cab", "ace", "arj", "lzh", "zst", "lzma", "cpio"], ARCHIVE),
    (&["svg"], SVG),
    (&["txt", "csv", "ics", "vcf", "htm", "html", "log", "md"], TEXT),
];

const CLAIMED_BY_TYPE: &[(&str, Claim)] = &[
    ("application/pdf", PDF),
    ("image/png", IMAGE),
    ("image/jpeg", IMAGE),
    ("image/jpg", IMAGE),
    ("image/gif", IMAGE),
    ("image/webp", IMAGE),
    ("application/zip", ZIP),
    ("application/rtf", RTF),
    ("text/plain", TEXT),
    ("text/html", TEXT),
    ("text/csv", TEXT),
    ("text/calendar", TEXT),
];

/// The kinds of content that a declared MIME type allows; `None` for a type that claims nothing.
///
/// `declared` is `type/subtype` in lower case.
#[must_use]
pub fn claimed_by_type(declared: &str) -> Option<Claim> {
    CLAIMED_BY_TYPE.iter().find(|(name, _)| *name == declared).map(|&(_, claim)| claim)
}

/// Control characters, direction marks, zero-width and line-separating characters.
fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_that_the_system_obeys_decides() {
        for (name, expected) in [
            ("setup.exe", Some(Danger::Executable)),
            ("SETUP.EXE", Some(Danger::Executable)),
            ("setup.exe. .", Some(Danger::Executable)),
            ("setup.exe::$DATA", Some(Danger::Executable)),
            ("setup.e\u{200b}xe", Some(Danger::Executable)),
            ("..\\..\\addin.xll", Some(Danger::Executable)),
            ("run.ps1", Some(Danger::Script)),
            ("invoice.pdf          .js", Some(Danger::Script)),
            ("holiday.iso", Some(Danger::DiskImage)),
            ("backup.vhdx", Some(Danger::DiskImage)),
            ("invoice.pdf", None),
            ("exe", None),
            ("", None),
            (".", None),
        ] {
            assert_eq!(FileName::new(name).danger(), expected, "{name:?}");
        }
    }

    #[test]
    fn a_harmless_extension_before_a_dangerous_one_is_a_double_extension() {
        for (name, expected) in [
            ("invoice.pdf.exe", true),
            ("photo.JPG   .scr", true),
            ("a.b.docx.js", true),
            ("pdf.exe", false),
            ("invoice.v2.exe", false),
            ("report.2026.pdf", false),
            ("archive.tar.gz", false),
        ] {
            assert_eq!(FileName::new(name).has_double_extension(), expected, "{name:?}");
        }
    }

    #[test]
    fn only_characters_that_turn_the_direction_count_as_turning() {
        for (name, expected) in [
            ("annexe\u{202e}fdp.exe", true),
            ("\u{2067}gpj.scr", true),
            ("חשבונית.pdf", false),
            ("فاتورة\u{200f}.pdf", false),
        ] {
            assert_eq!(FileName::new(name).turns_right_to_left(), expected, "{name:?}");
        }
    }

    #[test]
    fn a_shown_name_is_short_and_has_nothing_invisible() {
        for (name, expected) in [
            ("invoice.pdf", "invoice.pdf".to_owned()),
            ("a\r\nX-Injected: b", "a??X-Injected: b".to_owned()),
            ("annexe\u{202e}fdp.exe", "annexe?fdp.exe".to_owned()),
            (&"ü".repeat(300), "ü".repeat(100)),
        ] {
            assert_eq!(FileName::new(name).shown(), expected);
        }
    }
}
