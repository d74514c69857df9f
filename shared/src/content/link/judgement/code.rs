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
