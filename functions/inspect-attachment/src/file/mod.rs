//! One file, judged by its names, its declared type and its octets, and so is every file in it.

mod behind;
pub mod budget;
mod calendar;
mod compressed;
mod contents;
pub mod kind;
mod markup;
mod message;
pub mod name;
mod octets;
mod office;
mod one_note;
mod other_archive;
mod pdf;
mod picture;
mod playlist;
mod rar;
mod seven_zip;
mod signed;
mod table;
mod tar;
mod tnef;
mod web;
mod zip;

use gatepost::content::link::{Link, Place};
use gatepost::finding::{Finding, Severity};

use self::{
    budget::{Budget, Limit, MAX_DEPTH},
    contents::{Contents, Inner},
    kind::{Danger, Kind},
    name::{FileName, claimed_by_type},
    picture::Format,
    web::Page,
    zip::Archive,
};

/// The industry's harmless test string (EICAR), in two parts: this source is a file too.
const TEST_STRING: [&[u8]; 2] = [b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD", b"-ANTIVIRUS-TEST-FILE!$H+H*"];

/// Characters of a place that a finding shows.
const MAX_LOCATION: usize = 300;

/// Where a file stands in its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A text that the mail program shows: a shell script pasted into a letter does not run.
    Body,
    Attachment,
}

/// One file with all that is said about it.
#[derive(Debug, Clone, Copy)]
pub struct File<'a> {
    /// The part path, as findings show it.
    pub location: &'a str,
    /// Programs differ in which of several names they use, so each is judged.
    pub names: &'a [FileName],
    /// `type/subtype`, lower case; empty when nothing is declared.
    pub declared: &'a str,
    pub content: &'a [u8],
    pub role: Role,
}

/// What a file, and all that is in it, led to.
#[derive(Debug, Default)]
pub struct Inspected {
    pub findings: Vec<Finding>,
    pub links: Vec<FileLink>,
}

/// A link, and the file that it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileLink {
    pub link: Link,
    pub location: String,
}

/// Judges `file` and every file in it, within what is left of `budget`.
#[must_use]
pub fn inspect_file(file: &File<'_>, budget: &mut Budget) -> Inspected {
    let mut inspected = Inspected::default();
    Look { file, kind: Kind::of(file.content), is_known: true }.into(1, budget, &mut inspected);
    inspected
}

/// One look at one file.
struct Look<'f, 'a> {
    file: &'f File<'a>,
    kind: Option<Kind>,
    /// Of a file that could not be unpacked only the names are known.
    is_known: bool,
}

impl Look<'_, '_> {
    /// Recursive, and `depth` ends it.
    fn into(self, depth: usize, budget: &mut Budget, inspected: &mut Inspected) {
        inspected.findings.extend(self.by_name_and_kind());
        if !self.is_known {
            return;
        }
        let contents = self.contents(depth, budget);
        let location = self.file.location;
        let is_macro_free =
            self.file.names.iter().any(|name| name.ends_in(&["docx", "xlsx", "pptx", "dotx", "xltx", "potx"]));
        for remark in contents.remarks {
            if remark.code != office::parts::MACRO_ENABLED {
                inspected.findings.push(Finding::new(remark.code, remark.severity, remark.detail).at(location));
            } else if is_macro_free {
                let detail =
                    "the name is that of a document without macros, and the document is of a kind that may have some";
                inspected.findings.push(Finding::new("type_mismatch", Severity::Review, detail).at(location));
            }
        }
        let placed = |link: Link| {
            let location =
                if link.place == Place::Code { format!("{location} (QR code)") } else { location.to_owned() };
            FileLink { link, location }
        };
        inspected.links.extend(contents.links.into_iter().map(placed));
        for (number, inner) in (1..).zip(contents.inner) {
            look_at_inner(&inner, number, location, depth + 1, budget, inspected);
        }
    }

    fn by_name_and_kind(&self) -> Vec<Finding> {
        let findings = [
            self.test_string(),
            self.dangerous(),
            self.double_extension(),
            self.right_to_left(),
            self.blanks(),
            self.mismatch(),
        ];
        findings.into_iter().flatten().collect()
    }

    /// What the reader of its format finds.
    fn contents(&self, depth: usize, budget: &mut Budget) -> Contents<'_> {
        // A page may hold a page, too, in a frame.
        if MAX_DEPTH + usize::from(!self.is_container()) < depth {
            let mut contents = Contents::default();
            contents.exceeded(Limit::Depth);
            return contents;
        }
        let mut contents = self.contents_by_kind(budget);
        self.archive_behind(budget, &mut contents);
        // A browser opens a file by its name, whatever it holds.
        if let Some(page) = self.page() {
            page.read(self.file.content, budget, &mut contents);
        } else if self.is_page_of_letter() {
            web::codes_of_letter(self.file.content, budget, &mut contents);
        } else if self.kind.is_none() {
            picture::look_at_text(self.file.content, budget, &mut contents);
        }
        contents.weigh_unopened();
        contents
    }

    fn contents_by_kind(&self, budget: &mut Budget) -> Contents<'_> {
        let octets = self.file.content;
        let kind = if self.file.declared == "message/rfc822" { Some(Kind::Message) } else { self.kind };
        match kind {
            Some(Kind::Zip | Kind::JavaProgram | Kind::AndroidProgram) => zip_contents(octets, budget),
            Some(Kind::Tar) => tar::read(octets, budget),
            Some(kind @ (Kind::Gzip | Kind::Bzip2 | Kind::Xz | Kind::Lzma)) => {
                compressed::read(kind, octets, &self.name(), budget)
            }
            Some(Kind::SevenZip) => seven_zip::read(octets, budget),
            Some(Kind::Rar) => rar::read(octets, budget),
            Some(Kind::Cabinet) => rar::read_cabinet(octets, budget),
            Some(Kind::OtherArchive) => other_archive::read(octets, budget),
            Some(Kind::OleDocument) => office::binary::read(octets, budget),
            Some(Kind::OneNote) => one_note::read(octets, budget),
            Some(Kind::Pdf) => pdf::read(octets, budget),
            Some(Kind::Rtf) => office::rtf::read(octets, budget),
            Some(Kind::Calendar) => calendar::read(octets, budget),
            Some(Kind::Tnef) => tnef::read(octets, budget),
            Some(Kind::SignedMessage) => signed::read(octets, &self.name(), budget),
            Some(Kind::EncryptedMessage) => signed::encrypted(),
            Some(Kind::Image) | None if let Some(format) = Format::of(octets) => picture::read(format, octets, budget),
            Some(Kind::Message) if self.is_mail() => message::read(octets, budget),
            None if office::flat::is_document(octets) => office::flat::read(octets),
            None | Some(Kind::Html) if self.is_table() => table::read(octets),
            None if self.is_named(playlist::EXTENSIONS) => playlist::read(octets),
            None if self.file.role == Role::Attachment => {
                behind::uuencoded_files(octets, self.is_named(&["uu", "uue"]), budget)
            }
            _ => Contents::default(),
        }
    }

    fn is_named(&self, endings: &[&str]) -> bool {
        self.file.names.iter().any(|name| name.ends_in(endings))
    }

    fn is_page_of_letter(&self) -> bool {
        self.file.role == Role::Body && (self.kind == Some(Kind::Html) || self.file.declared == "text/html")
    }

    fn name(&self) -> String {
        self.file.names.first().map(FileName::shown).unwrap_or_default()
    }

    /// A text with a header is opened as a text under a name of one, and mail programs do not open the text that they show.
    fn is_mail(&self) -> bool {
        let is_text = |name: &FileName| name.ends_in(&["txt", "log", "md", "csv", "htm", "html", "ics", "vcf"]);
        let is_named = !self.file.names.is_empty() && self.file.names.iter().all(is_text);
        self.file.role == Role::Attachment && !is_named
    }

    /// Programs look for the directory of an archive at its end, whatever stands in front.
    fn is_zip_by_name(&self) -> bool {
        self.file.names.iter().any(|name| name.claims().is_some_and(|claim| claim.contains(&Some(Kind::Zip))))
    }

    fn is_container(&self) -> bool {
        matches!(
            self.kind,
            Some(
                Kind::Zip
                    | Kind::JavaProgram
                    | Kind::AndroidProgram
                    | Kind::Tar
                    | Kind::Gzip
                    | Kind::Bzip2
                    | Kind::Xz
                    | Kind::Lzma
                    | Kind::OtherArchive
                    | Kind::SevenZip
                    | Kind::Rar
                    | Kind::Cabinet
                    | Kind::OleDocument
                    | Kind::OneNote
                    | Kind::Pdf
                    | Kind::Rtf
                    | Kind::Message
                    | Kind::Tnef
                    | Kind::SignedMessage
            )
        )
    }

    /// How a browser opens it, by its name, its declared type or what it holds. Mail programs run nothing in the text that they
    /// show.
    fn page(&self) -> Option<Page> {
        let is_named = |endings: &[&str]| self.is_named(endings);
        let is_declared = |types: &[&str]| types.contains(&self.file.declared);
        let is_drawing = self.kind == Some(Kind::Svg) || is_named(&["svg"]) || is_declared(&["image/svg+xml"]);
        let is_html = matches!(self.kind, Some(Kind::Html | Kind::Svg))
            || is_named(&["htm", "html", "xhtml", "shtml", "xht", "svg"])
            || is_declared(&["text/html"]);
        let is_xml = is_drawing
            || is_named(&["xml", "xsl", "xslt", "xhtml", "xht", "rss", "atom", "mml"])
            || is_declared(&["application/xhtml+xml", "text/xml", "application/xml"]);
        let is_opened = self.file.role == Role::Attachment && (is_html || is_xml);
        is_opened.then_some(Page { is_html, is_xml, is_drawing })
    }

    fn is_table(&self) -> bool {
        let by_type = ["text/csv", "text/tab-separated-values", "application/vnd.ms-excel"];
        self.file.names.iter().any(|name| name.ends_in(table::EXTENSIONS)) || by_type.contains(&self.file.declared)
    }

    /// The strictest thing that name or content does when opened, and in words how we know.
    fn danger(&self) -> Option<(Danger, String)> {
        let by_name = self.file.names.iter().filter_map(|name| {
            let extension = name.dangerous_extension()?;
            Some((name.danger()?, format!("its name ends in .{extension}")))
        });
        let by_content = self.kind.and_then(|kind| Some((kind.danger()?, format!("its content is {kind}"))));
        by_name
            .chain(by_content.filter(|(danger, _)| self.file.role == Role::Attachment || *danger == Danger::Executable))
            .max_by_key(|(danger, _)| *danger)
    }

    fn dangerous(&self) -> Option<Finding> {
        let (danger, why) = self.danger()?;
        let (code, severity, what) = match danger {
            Danger::Executable => ("executable_attachment", Severity::Reject, "a program"),
            Danger::Script => ("script_attachment", Severity::Quarantine, "something that runs when it is opened"),
            Danger::DiskImage => ("disk_image_attachment", Severity::Quarantine, "a disk image"),
        };
        Some(self.finding(code, severity, format!("the attachment is {what}: {why}")))
    }

    fn double_extension(&self) -> Option<Finding> {
        let name = self.file.names.iter().find(|name| name.has_double_extension())?;
        let detail = format!("the name {} hides what the file is behind a harmless extension", name.shown());
        Some(self.finding("double_extension", Severity::Quarantine, detail))
    }

    fn right_to_left(&self) -> Option<Finding> {
        self.file.names.iter().find(|name| name.turns_right_to_left())?;
        let detail =
            "the file name has a character that turns the reading direction, so its extension is shown elsewhere";
        Some(self.finding("rtlo_file_name", Severity::Quarantine, detail))
    }

    fn blanks(&self) -> Option<Finding> {
        let name = self.file.names.iter().find(|name| name.hides_behind_blanks())?;
        let severity = if name.danger().is_some() { Severity::Quarantine } else { Severity::Review };
        let detail = "so many blanks stand in the file name that its end is out of sight";
        Some(self.finding("blanks_in_file_name", severity, detail))
    }

    fn test_string(&self) -> Option<Finding> {
        let is_test =
            self.file.content.strip_prefix(TEST_STRING[0]).is_some_and(|rest| rest.starts_with(TEST_STRING[1]));
        let detail = "the attachment is the test file of virus scanners (EICAR)";
        is_test.then(|| self.finding("virus_test_file", Severity::Reject, detail))
    }

    /// Left out for what is dangerous by its content: that finding is stricter and says more.
    fn mismatch(&self) -> Option<Finding> {
        let is_dangerous = self.kind.is_some_and(|kind| kind.danger().is_some());
        if self.file.content.is_empty() || is_dangerous || self.kind == Some(Kind::AppleDouble) || !self.is_known {
            return None;
        }
        self.broken_claim().map(|detail| self.finding("type_mismatch", Severity::Review, detail))
    }

    /// What the extension or else the declared type promises and the content does not keep.
    fn broken_claim(&self) -> Option<String> {
        let unfit = |claim: &[Option<Kind>]| !claim.contains(&self.kind);
        let kind = self.kind.map_or_else(|| "not recognised".to_owned(), |kind| kind.to_string());
        if let Some(name) = self.file.names.iter().find(|name| name.claims().is_some_and(unfit)) {
            return Some(format!("the name {} does not fit the content, which is {kind}", name.shown()));
        }
        let declared = self.file.declared;
        claimed_by_type(declared)
            .is_some_and(unfit)
            .then(|| format!("the declared type {declared} does not fit the content, which is {kind}"))
    }

    fn finding(&self, code: &'static str, severity: Severity, detail: impl Into<String>) -> Finding {
        Finding::new(code, severity, detail).at(self.file.location)
    }
}

fn look_at_inner(
    inner: &Inner<'_>,
    number: usize,
    outer: &str,
    depth: usize,
    budget: &mut Budget,
    inspected: &mut Inspected,
) {
    let names: Vec<FileName> =
        inner.names.iter().filter(|name| !name.is_empty()).map(|name| FileName::new(name)).collect();
    let shown = names.first().map_or_else(|| format!("({number})"), FileName::shown);
    let location: String = format!("{outer}/{shown}").chars().take(MAX_LOCATION).collect();
    let content = inner.content.as_deref().unwrap_or_default();
    let file = File { location: &location, names: &names, declared: &inner.declared, content, role: inner.role };
    let look = Look { file: &file, kind: Kind::of(content), is_known: inner.content.is_some() };
    look.into(depth, budget, inspected);
}

fn zip_contents<'a>(octets: &'a [u8], budget: &mut Budget) -> Contents<'a> {
    let archive = Archive::parse(octets);
    let mut contents = match office::open::is_document(&archive) {
        true => office::open::read(&archive, budget),
        false => zip::read(&archive, budget),
    };
    zip::read_ambiguous(&archive, budget, &mut contents);
    contents
}

#[cfg(test)]
pub(crate) mod tests;
