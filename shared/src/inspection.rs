//! What the inspector answers, in Rust and as JSON.

use serde::{Deserialize, Serialize};

use crate::finding::{Finding, Severity};

/// Code of the finding for a message that was not inspected.
pub const FAILED: &str = "inspection_failed";

/// Codes of the findings that an inspection may have, with the README's words.
pub const FINDING_CODES: &[(&str, &str)] = &[
    ("executable_attachment", "the attachment is a program"),
    ("script_attachment", "the attachment runs when it is opened"),
    ("disk_image_attachment", "the attachment is a disk image, whose files no scanner sees"),
    ("double_extension", "a harmless extension in front of the real one hides what the file is"),
    ("rtlo_file_name", "a character in the file name turns the reading direction and so moves the extension"),
    ("blanks_in_file_name", "so many blanks stand in the file name that its extension is out of sight"),
    ("virus_test_file", "the attachment is the test file of virus scanners (EICAR)"),
    ("archive_limit_exceeded", "the file unpacks to more, or deeper, than is looked at"),
    ("picture_limit_exceeded", "a picture is larger, or has more, than is looked at for codes"),
    ("ambiguous_archive", "programs see different files in the archive"),
    ("encrypted_archive", "the archive needs a password and cannot be inspected"),
    ("archive_not_opened", "the archive is packed in a way that is not opened here"),
    ("macro_document", "the document has macros: VBA, Excel 4.0 or Basic"),
    ("remote_template", "the document loads a template from elsewhere when it is opened"),
    ("remote_object", "the document loads something from elsewhere when it is opened"),
    ("embedded_object", "the document embeds something that another program opens"),
    ("dde_field", "a field of the document starts another program"),
    ("encrypted_document", "the document needs a password, or not all of it can be inspected"),
    ("pdf_script", "the PDF file runs a script"),
    ("pdf_launch", "the PDF file starts a program"),
    ("pdf_opens_address", "the PDF file opens an address as soon as it is opened"),
    ("html_script", "the attached page has a script in it"),
    ("html_smuggling", "the attached page builds a file on the reader's machine"),
    ("obfuscated_script", "a script in the attached page hides what it writes or runs"),
    ("page_redirect", "the attached page leads to another address as soon as it is opened"),
    ("credential_form", "the message or an attached page asks for a password"),
    ("svg_script", "the attached drawing has a script in it"),
    ("type_mismatch", "name or declared type promise what the content is not"),
    (FAILED, "the attachments could not be inspected"),
];

/// What is seen of one message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    pub findings: Vec<Finding>,
    /// Hosts that its links lead to, as the inspector understood them.
    pub hosts: Vec<String>,
}

/// The answer for one message.
///
/// As JSON: `{"findings": [{"code", "severity", "detail", "location"}], "hosts": [..], "isolation": {"child_process": true, ..}}`;
/// `hosts` is left out when there are none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Wire", into = "Wire")]
pub struct Inspection {
    pub findings: Vec<Finding>,
    /// Hosts that links of the message lead to, for whoever knows the protected domains and may ask DNS.
    pub hosts: Vec<String>,
    pub isolation: Isolation,
}

/// Which of the fences stood around whatever read the message. The kernel decides what there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Isolation {
    /// The message was judged in a process of its own, without an environment.
    pub child_process: bool,
    /// Memory, processor time, files and processes were limited.
    pub resource_limits: bool,
    /// No sockets, no programs, no open for writing.
    pub seccomp: bool,
    /// No files and no TCP.
    pub landlock: bool,
}

impl Inspection {
    /// The answer for a message that could not be judged: it is kept back, and the reason is told.
    #[must_use]
    pub fn failed(reason: &str) -> Self {
        Self { findings: vec![failure(reason)], hosts: Vec::new(), isolation: Isolation::default() }
    }

    /// Without how it was looked at.
    #[must_use]
    pub fn into_seen(self) -> Seen {
        Seen { findings: self.findings, hosts: self.hosts }
    }
}

/// The finding for a message that could not be judged: silence would deliver it.
#[must_use]
pub fn failure(reason: &str) -> Finding {
    Finding::new(FAILED, Severity::Quarantine, format!("The message was not inspected: {reason}.")).at("body")
}

#[derive(Serialize, Deserialize)]
struct Wire {
    findings: Vec<WireFinding>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    hosts: Vec<String>,
    isolation: Isolation,
}

#[derive(Serialize, Deserialize)]
struct WireFinding {
    code: String,
    severity: WireSeverity,
    detail: String,
    location: String,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WireSeverity {
    Info,
    Review,
    Quarantine,
    Reject,
}

impl From<Inspection> for Wire {
    fn from(inspection: Inspection) -> Self {
        Self {
            findings: inspection.findings.into_iter().map(WireFinding::from).collect(),
            hosts: inspection.hosts,
            isolation: inspection.isolation,
        }
    }
}

impl From<Wire> for Inspection {
    fn from(wire: Wire) -> Self {
        Self {
            findings: wire.findings.into_iter().map(Finding::from).collect(),
            hosts: wire.hosts,
            isolation: wire.isolation,
        }
    }
}

impl From<Finding> for WireFinding {
    fn from(finding: Finding) -> Self {
        Self {
            code: finding.code.into_owned(),
            severity: finding.severity.into(),
            detail: finding.detail,
            location: finding.location,
        }
    }
}

impl From<WireFinding> for Finding {
    fn from(wire: WireFinding) -> Self {
        Self::new(wire.code, wire.severity.into(), wire.detail).at(wire.location)
    }
}

impl From<Severity> for WireSeverity {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Info => Self::Info,
            Severity::Review => Self::Review,
            Severity::Quarantine => Self::Quarantine,
            Severity::Reject => Self::Reject,
        }
    }
}

impl From<WireSeverity> for Severity {
    fn from(wire: WireSeverity) -> Self {
        match wire {
            WireSeverity::Info => Self::Info,
            WireSeverity::Review => Self::Review,
            WireSeverity::Quarantine => Self::Quarantine,
            WireSeverity::Reject => Self::Reject,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inspection_survives_its_json() {
        let finding = Finding::new("type_mismatch", Severity::Review, "why").at("1.2 invoice.pdf");
        let isolation = Isolation { child_process: true, seccomp: true, ..Isolation::default() };
        let inspection = Inspection { findings: vec![finding], hosts: vec!["shop.example".to_owned()], isolation };
        let json = r#"{"findings":[{"code":"type_mismatch","severity":"review","detail":"why","location":"1.2 invoice.pdf"}],"hosts":["shop.example"],"isolation":{"child_process":true,"resource_limits":false,"seccomp":true,"landlock":false}}"#;
        assert_eq!(serde_json::to_string(&inspection).expect("strings and booleans"), json);
        assert_eq!(serde_json::from_str::<Inspection>(json).expect("the same JSON"), inspection);
    }

    #[test]
    fn an_answer_with_an_unknown_severity_is_refused() {
        let json = r#"{"findings":[{"code":"a","severity":"harmless","detail":"","location":""}],"isolation":{"child_process":true,"resource_limits":true,"seccomp":true,"landlock":true}}"#;
        assert!(serde_json::from_str::<Inspection>(json).expect_err("no such severity").is_data());
    }
}
