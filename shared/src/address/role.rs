//! Mailboxes named after a function (RFC 2142 and what is usual beside it).

use super::LocalPart;

/// Lower case, sorted.
const ROLES: [&str; 44] = [
    "abuse",
    "accounting",
    "accounts",
    "admin",
    "administrator",
    "billing",
    "careers",
    "compliance",
    "contact",
    "dev",
    "dns",
    "enquiries",
    "feedback",
    "finance",
    "ftp",
    "hello",
    "help",
    "helpdesk",
    "hostmaster",
    "hr",
    "info",
    "it",
    "jobs",
    "list",
    "mail",
    "mailer-daemon",
    "marketing",
    "news",
    "no-reply",
    "noc",
    "noreply",
    "office",
    "orders",
    "postmaster",
    "press",
    "privacy",
    "root",
    "sales",
    "security",
    "spam",
    "support",
    "team",
    "webmaster",
    "www",
];

/// Whether a local-part, a tag aside, names a function.
#[must_use]
pub fn is_role(local_part: &LocalPart) -> bool {
    let name = local_part.content().split('+').next().unwrap_or_default().to_ascii_lowercase();
    ROLES.binary_search(&name.as_str()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_for_its_search() {
        assert!(ROLES.is_sorted());
    }

    #[test]
    fn a_function_is_told_from_a_person() {
        for (text, expected) in [
            ("Postmaster", true),
            ("support+billing", true),
            ("www", true),
            ("ann", false),
            ("administratrix", false),
            ("+info", false),
        ] {
            assert_eq!(LocalPart::parse(text).as_ref().map(is_role), Ok(expected), "{text}");
        }
    }
}
