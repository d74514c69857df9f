//! What a DKIM key record holds (RFC 6376 §3.6.1, RFC 8463 §4).

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::{
    rsa_key::rsa_bits,
    tag_list::{TagList, TagListFault, items, without_white_space},
};

/// Of an Ed25519 key (RFC 8032 §5.1.5).
const ED25519_OCTETS: usize = 32;

/// A record that receivers can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyRecord {
    /// `None` for an empty `p=`: the key is revoked.
    pub key: Option<KeyKind>,
    /// `t=y`
    pub is_test: bool,
}

/// What verifies signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    Rsa {
        /// Of the modulus.
        bits: usize,
    },
    Ed25519,
}

/// Why no signature can be verified with a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRecordError {
    #[error("{}", .0.detail())]
    TagList(TagListFault),
    #[error("it does not begin with v=DKIM1 although it has a version")]
    Version,
    #[error("k= names a key type that nobody knows")]
    KeyType,
    #[error("it does not allow SHA-256")]
    HashNotAllowed,
    #[error("it is not for email")]
    ServiceNotEmail,
    #[error("it has no p=")]
    MissingKey,
    #[error("p= is not a public key of its type")]
    BadKey,
}

impl KeyRecord {
    /// Reads the text of one TXT record.
    ///
    /// # Errors
    /// The first reason why receivers ignore it.
    pub fn parse(text: &[u8]) -> Result<Self, KeyRecordError> {
        let tags = TagList::of(text).map_err(KeyRecordError::TagList)?;
        if tags.get("v").is_some_and(|version| version != "DKIM1" || !tags.begins_with("v")) {
            return Err(KeyRecordError::Version);
        }
        let allows =
            |name, words: &[&str]| tags.get(name).is_none_or(|value| items(value).any(|item| words.contains(&item)));
        if !allows("h", &["sha256"]) {
            return Err(KeyRecordError::HashNotAllowed);
        }
        if !allows("s", &["email", "*"]) {
            return Err(KeyRecordError::ServiceNotEmail);
        }
        let is_test = tags.get("t").is_some_and(|value| items(value).any(|item| item == "y"));
        Ok(Self { key: key(&tags)?, is_test })
    }
}

/// Whether a text at the name of a key is meant to be one, and not a wildcard's record of another kind.
pub(super) fn is_key_record(text: &[u8]) -> bool {
    match TagList::of(text) {
        Ok(tags) => {
            let is_other = tags.get("v").is_some_and(|version| !version.eq_ignore_ascii_case("DKIM1"));
            tags.get("p").is_some() && !is_other
        }
        Err(_) => text.starts_with(b"v=DKIM1"),
    }
}

fn key(tags: &TagList) -> Result<Option<KeyKind>, KeyRecordError> {
    let written = without_white_space(tags.get("p").ok_or(KeyRecordError::MissingKey)?);
    if written.is_empty() {
        return Ok(None);
    }
    let octets = BASE64_STANDARD.decode(written).map_err(|_| KeyRecordError::BadKey)?;
    match tags.get("k").unwrap_or("rsa") {
        "rsa" => rsa_bits(&octets).map(|bits| Some(KeyKind::Rsa { bits })).ok_or(KeyRecordError::BadKey),
        "ed25519" if octets.len() == ED25519_OCTETS => Ok(Some(KeyKind::Ed25519)),
        "ed25519" => Err(KeyRecordError::BadKey),
        _ => Err(KeyRecordError::KeyType),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An RSA key of that many bits, at least 1000, in DER and base64: an odd modulus of ones, and the exponent 65537.
    pub(in crate::posture) fn rsa(bits: usize) -> String {
        let tlv = |tag: u8, content: &[u8]| {
            let length = u16::try_from(content.len()).expect("short").to_be_bytes();
            [&[tag, 0x82, length[0], length[1]], content].concat()
        };
        let mut modulus = vec![0xff; bits.div_ceil(8)];
        modulus[0] = u8::MAX >> (modulus.len() * 8 - bits);
        modulus.insert(0, 0);
        if modulus[1] < 0x80 {
            modulus.remove(0);
        }
        BASE64_STANDARD.encode(tlv(0x30, &[tlv(2, &modulus), tlv(2, &[1, 0, 1])].concat()))
    }

    #[test]
    fn a_key_record_is_read_or_says_why_it_is_ignored() {
        use KeyRecordError::*;
        let (rsa, ed25519) = (rsa(2048), BASE64_STANDARD.encode([7; 32]));
        let read = |key, is_test| Ok(KeyRecord { key, is_test });
        let strong = Some(KeyKind::Rsa { bits: 2048 });
        for (record, expected) in [
            (format!("v=DKIM1; k=rsa; p={rsa}"), read(strong, false)),
            (format!("p={rsa}; t=s:y; s=email; h=sha1:sha256"), read(strong, true)),
            (format!("v=DKIM1; k=ed25519; p={ed25519}"), read(Some(KeyKind::Ed25519), false)),
            ("v=DKIM1; p=".to_owned(), read(None, false)),
            (format!("k=rsa; v=DKIM1; p={rsa}"), Err(Version)),
            (format!("v=DKIM1; k=dsa; p={rsa}"), Err(KeyType)),
            (format!("v=DKIM1; h=sha1; p={rsa}"), Err(HashNotAllowed)),
            (format!("v=DKIM1; s=tlsrpt; p={rsa}"), Err(ServiceNotEmail)),
            ("v=DKIM1; k=rsa".to_owned(), Err(MissingKey)),
            ("v=DKIM1; p=AAAA".to_owned(), Err(BadKey)),
            ("v=DKIM1; p=***".to_owned(), Err(BadKey)),
            (format!("v=DKIM1; k=ed25519; p={rsa}"), Err(BadKey)),
            ("v=DKIM1;; p=".to_owned(), Err(TagList(TagListFault::EmptyTag))),
        ] {
            assert_eq!(KeyRecord::parse(record.as_bytes()), expected, "{record}");
        }
    }

    #[test]
    fn the_record_of_another_kind_under_a_wildcard_is_no_key() {
        for (text, expected) in [
            ("v=DKIM1; p=", true),
            ("p=AAAA", true),
            ("v=dkim1; p=AAAA", true),
            ("v=DKIM1;; p=", true),
            ("v=DMARC1; p=reject", false),
            ("v=spf1 exp=why.example -all", false),
            ("hello", false),
        ] {
            assert_eq!(is_key_record(text.as_bytes()), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_read_without_a_panic(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = (is_key_record(&octets), KeyRecord::parse(&octets));
        }

        #[test]
        fn any_key_is_read_without_a_panic(record in "[vkhst]=[a-zA-Z0-9:; =]{0,40}; ?p=[A-Za-z0-9+/=]{0,80}") {
            let _ = KeyRecord::parse(record.as_bytes());
        }
    }
}
