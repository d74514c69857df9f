//! Whether a domain has had mail from an author's domain before: a hint for people, who know whom they know.

use crate::finding::{Finding, Severity};

/// Codes of the findings that this file makes, with the README's words.
pub const FINDING_CODES: &[(&str, &str)] =
    &[("first_contact", "no such mail from the author's domain was delivered to the recipient's domain before")];

/// Who writes to whom, by domain.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Contact {
    /// As lower-case A-labels.
    pub author_domain: String,
    pub recipient_domain: String,
    /// DMARC passed. Whoever only claims to be of a domain is known as such, and makes nobody known who is.
    pub is_proven: bool,
}

impl Contact {
    /// Of the first recipient; `None` when nobody knows who that is.
    #[must_use]
    pub fn between(author_domain: &str, recipients: &[String], is_proven: bool) -> Option<Self> {
        let (_, recipient_domain) = recipients.first()?.rsplit_once('@')?;
        let recipient_domain = recipient_domain.to_lowercase();
        Some(Self { author_domain: author_domain.to_owned(), recipient_domain, is_proven })
    }

    #[must_use]
    pub fn first(&self) -> Finding {
        let Self { author_domain, recipient_domain, is_proven } = self;
        let what = if *is_proven { "No mail that DMARC proves to be" } else { "No mail that only claims to be" };
        let detail = format!("{what} from {author_domain} was delivered to {recipient_domain} before.");
        Finding::new("first_contact", Severity::Info, detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_is_between_the_domains_of_author_and_first_recipient() {
        let recipients = ["Ann@Receiver.example", "ben@other.example"].map(str::to_owned);
        let contact = Contact::between("bookshop.example", &recipients, false).expect("there is a recipient");
        assert_eq!(
            (contact.author_domain.as_str(), contact.recipient_domain.as_str()),
            ("bookshop.example", "receiver.example")
        );
        assert!(contact.first().detail.contains("only claims"));
        assert!(Contact { is_proven: true, ..contact }.first().detail.contains("DMARC proves"));
        for nobody in [&[][..], &["postmaster".to_owned()]] {
            assert_eq!(Contact::between("bookshop.example", nobody, true), None);
        }
    }
}
