//! What was found in one file, before anybody says where the file stands.

use std::borrow::Cow;

use gatepost::content::link::{Link, Place};
use gatepost::finding::{Finding, Severity};

use super::{Role, budget::Limit, name::FileName};

/// What one reader of a format found.
#[derive(Debug, Default)]
pub(crate) struct Contents<'a> {
    pub(crate) remarks: Vec<Remark>,
    pub(crate) inner: Vec<Inner<'a>>,
    /// Addresses as the file has them: not normalised, and maybe no addresses at all.
    pub(crate) links: Vec<Link>,
}

/// A finding without a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remark {
    pub(crate) code: Cow<'static, str>,
    pub(crate) severity: Severity,
    pub(crate) detail: String,
}

/// A file within the file.
#[derive(Debug)]
pub(crate) struct Inner<'a> {
    /// As programs may read it: most have one, some have none.
    pub(crate) names: Vec<String>,
    /// `type/subtype`, where the file around it says so.
    pub(crate) declared: String,
    pub(crate) role: Role,
    /// `None` when only its name can be judged.
    pub(crate) content: Option<Cow<'a, [u8]>>,
}

impl<'a> Inner<'a> {
    pub(crate) fn new(names: Vec<String>, content: impl Into<Cow<'a, [u8]>>) -> Self {
        Self { content: Some(content.into()), ..Self::named(names) }
    }

    pub(crate) fn named(names: Vec<String>) -> Self {
        Self { names, declared: String::new(), role: Role::Attachment, content: None }
    }
}

impl<'a> Contents<'a> {
    pub(crate) fn remark(&mut self, code: &'static str, severity: Severity, detail: impl Into<String>) {
        let remark = Remark { code: code.into(), severity, detail: detail.into() };
        if !self.remarks.contains(&remark) {
            self.remarks.push(remark);
        }
    }

    /// What was found by others, whose places mean nothing outside the file.
    pub(crate) fn found(&mut self, findings: impl IntoIterator<Item = Finding>) {
        let remarks =
            findings.into_iter().map(|Finding { code, severity, detail, .. }| Remark { code, severity, detail });
        self.remarks.extend(remarks);
    }

    pub(crate) fn append(&mut self, other: Self) {
        self.remarks.extend(other.remarks);
        self.inner.extend(other.inner);
        self.links.extend(other.links);
    }

    pub(crate) fn exceeded(&mut self, limit: Limit) {
        self.remark("archive_limit_exceeded", Severity::Quarantine, format!("the file {limit}"));
    }

    /// The archive holds what nobody without its password can look into.
    pub(crate) fn encrypted(&mut self) {
        let detail = "the archive needs a password, so its files cannot be inspected";
        self.remark("encrypted_archive", Severity::Quarantine, detail);
    }

    /// Something is packed in a way that is not known here.
    pub(crate) fn unopened(&mut self, packing: &str) {
        let detail = format!("its files are packed in a way that is not opened here: {packing}");
        self.remark("archive_not_opened", Severity::Review, detail);
    }

    /// What nobody has read weighs as much as what nobody can read without a password, unless all of it is called something that
    /// does nothing by itself.
    pub(crate) fn weigh_unopened(&mut self) {
        let mut unread = self.inner.iter().filter(|inner| inner.content.is_none()).peekable();
        let is_harmless = |inner: &Inner<'_>| {
            let names = inner.names.iter().filter(|name| !name.is_empty());
            let mut names = names.map(|name| FileName::new(name)).peekable();
            names.peek().is_some() && names.all(|name| name.is_inert())
        };
        if unread.peek().is_some() && unread.all(is_harmless) {
            return;
        }
        for remark in self.remarks.iter_mut().filter(|remark| remark.code == "archive_not_opened") {
            remark.severity = Severity::Quarantine;
        }
    }

    pub(crate) fn file(&mut self, name: impl Into<String>, content: impl Into<Cow<'a, [u8]>>) {
        self.inner.push(Inner::new(vec![name.into()], content));
    }

    pub(crate) fn named(&mut self, name: impl Into<String>) {
        self.inner.push(Inner::named(vec![name.into()]));
    }

    /// Another mention of a link that is known says nothing new.
    pub(crate) fn link(&mut self, text: impl AsRef<str>) {
        let link = Link::new(text.as_ref(), Place::File);
        if self.links.last() != Some(&link) {
            self.links.push(link);
        }
    }
}
