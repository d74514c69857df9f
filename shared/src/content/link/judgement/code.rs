//! Codes in pictures that lead where nothing else in the message does: no other filter sees that link.

use std::collections::HashSet;

use super::Judgement;
use crate::{
    content::{
        link::{Link, Place, Target},
        mime,
    },
    finding::Severity,
};

/// Where one code leads.
#[derive(Debug)]
pub(super) struct Led {
    /// In the normal form of browsers.
    address: String,
    host: String,
    location: String,
    /// There is something wrong with the link, wherever it stands.
    is_flagged: bool,
}

impl Judgement {
    pub(super) fn note_code(&mut self, link: &Link, path: &str, is_flagged: bool) {
        if link.place == Place::Code
            && let Target::Web(address) = Target::parse(&link.target)
        {
            let location = format!("{path} {}", mime::shown(&link.target));
            let (host, address) = (address.host(), address.url.into());
            self.codes.push(Led { address, host, location, is_flagged });
        }
    }

    /// Tickets and labels have such codes: one by itself is only worth knowing.
    pub(super) fn tell_codes(&mut self) {
        let codes = std::mem::take(&mut self.codes);
        let elsewhere = if codes.is_empty() { HashSet::new() } else { self.addresses_elsewhere() };
        for Led { host, location, is_flagged, .. } in
            codes.into_iter().filter(|code| !elsewhere.contains(&code.address))
        {
            let severity = if is_flagged { Severity::Review } else { Severity::Info };
            let detail = format!("A code (QR) in a picture leads to {host}; no text of the message shows that link.");
            self.add("qr_code_link", severity, detail, location);
        }
    }

    /// Those that a reader can follow without a telephone.
    fn addresses_elsewhere(&self) -> HashSet<String> {
        let others = self.seen.iter().filter(|link| !matches!(link.place, Place::Code | Place::Resource));
        let address = |link: &Link| match Target::parse(&link.target) {
            Target::Web(address) => Some(address.url.into()),
            Target::Other { .. } | Target::Share | Target::Nowhere => None,
        };
        others.filter_map(address).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::content::link::{Judgement, Link, Linked, Place, judge};

    /// `severity location` of what is told of codes, after the parts with such links.
    fn told(parts: &[(&str, Place, &str)]) -> Vec<String> {
        let mut judgement = Judgement::default();
        for (path, place, target) in parts {
            judge(&[Link::new(target, *place)], path, &Linked::default(), &mut judgement);
        }
        let findings = judgement.finish().0.into_iter().filter(|finding| finding.code == "qr_code_link");
        findings.map(|finding| format!("{} {}", finding.severity.as_str(), finding.location)).collect()
    }

    #[test]
    fn a_code_is_told_where_nothing_else_leads_there() {
        use Place::{Anchor, Code, Resource, Text};
        let page = "https://shop.example/a";
        let code = ("2 (QR code)", Code, "HTTPS://SHOP.EXAMPLE/a");
        let info = "info 2 (QR code) HTTPS://SHOP.EXAMPLE/a";
        for (parts, expected) in [
            (&[code][..], &[info][..]),
            (&[("1", Anchor, page), code], &[]),
            (&[code, ("3", Text, page)], &[]),
            (&[("1", Anchor, "https://shop.example/b"), code], &[info]),
            (&[("1", Resource, page), code], &[info]),
            (&[("1", Code, page), code], &["info 1 https://shop.example/a", info]),
            (&[("2", Code, "otpauth://totp/a?secret=b"), ("3", Code, "tel:+15550100")], &[]),
        ] {
            assert_eq!(told(parts), expected, "{parts:?}");
        }
    }

    #[test]
    fn a_code_is_worth_a_look_where_its_link_is() {
        for (target, expected) in [
            ("https://bit.ly/abc", "review 2 https://bit.ly/abc"),
            ("http://192.0.2.1/", "review 2 http://192.0.2.1/"),
            ("https://bank.example@shop.example/", "review 2 https://bank.example@shop.example/"),
            ("https://shop.example/", "info 2 https://shop.example/"),
        ] {
            assert_eq!(told(&[("2", Place::Code, target)]), [expected]);
        }
    }
}
