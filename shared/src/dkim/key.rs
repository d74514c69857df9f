//! What a DKIM key record allows (RFC 6376 §3.6.1), how strong its key is (RFC 8301 §3.2), and what it verifies.

use base64::{Engine, prelude::BASE64_STANDARD};
use mail_auth::common::{crypto, parse::TxtRecordParser, verify::DomainKey};

use super::signature::{Algorithm, Signer, octets};
use crate::{
    authentication::DkimResult,
    rsa_key::{MAX_RSA_BITS, MIN_RSA_BITS, STRONG_RSA_BITS, rsa_bits},
    tag_list::{TagList, TagListFault, items},
};

/// A key that may verify the signature it was looked up for.
pub struct Key {
    pub strength: KeyStrength,
    algorithm: Algorithm,
    key: DomainKey,
}

/// How far a key may be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyStrength {
    /// Of the RSA modulus; `None` for Ed25519.
    pub rsa_bits: Option<usize>,
    /// `t=y`: the domain tests DKIM. Changes no result (RFC 6376 §3.6.1).
    pub testing: bool,
}

impl KeyStrength {
    /// An RSA key below [`STRONG_RSA_BITS`].
    #[must_use]
    pub fn is_weak(self) -> bool {
        self.rsa_bits.is_some_and(|bits| bits < STRONG_RSA_BITS)
    }
}

impl Key {
    /// Reads the key records that were found for a signer: one TXT record each, its strings joined. Several are as good
    /// as the worst of them, because RFC 6376 §3.6.2.2 leaves open which one counts; the last one verifies. A text without any
    /// `p=` is of somebody else, who put it there too.
    ///
    /// # Errors
    /// The first reason why a key must not verify the signature.
    pub fn of<'r>(records: impl IntoIterator<Item = &'r [u8]>, signer: &Signer) -> Result<Self, KeyFault> {
        let mut found = Err(KeyFault::NoRecord);
        for record in records.into_iter().filter(|record| record.windows(2).any(|two| two == b"p=")) {
            found = Ok(Self::read(std::str::from_utf8(record).map_err(|_| TagListFault::NotUtf8)?, signer)?);
        }
        found
    }

    fn read(record: &str, signer: &Signer) -> Result<Self, KeyFault> {
        let (strength, octets) = strength_and_octets(record, signer)?;
        // Written anew, so that nothing but the key itself is read once more.
        let plain = format!("k={}; p={}", key_type(signer.algorithm), BASE64_STANDARD.encode(octets));
        let key = DomainKey::parse(plain.as_bytes()).map_err(|_| KeyFault::BadKey)?;
        Ok(Self { strength, algorithm: signer.algorithm, key })
    }

    /// Whether `signature` was made over `text` with the private half (RFC 8017 §8.2.2, RFC 8463 §3).
    #[must_use]
    pub fn verifies(&self, text: &[u8], signature: &[u8]) -> bool {
        let algorithm = match self.algorithm {
            Algorithm::RsaSha256 => crypto::Algorithm::RsaSha256,
            Algorithm::Ed25519Sha256 => crypto::Algorithm::Ed25519Sha256,
        };
        self.key.p.verify_bytes(text, signature, algorithm).is_ok()
    }
}

/// Why a key must not verify a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyFault {
    /// DNS has no key at this name.
    NoRecord,
    /// DNS did not say whether there is one.
    Unanswered,
    TagList(TagListFault),
    /// `v=` other than `DKIM1`, or not in the first place.
    Version,
    /// `k=` is not what `a=` of the signature needs.
    KeyType,
    /// `h=` without sha256.
    HashNotAllowed,
    /// `s=` without `email` and `*`.
    ServiceNotEmail,
    /// `t=s`, and `i=` of the signature is in a subdomain.
    SubdomainIdentity,
    MissingKey,
    /// An empty `p=`.
    Revoked,
    /// `p=` is not base64, or not a public key of its type.
    BadKey,
    KeyTooShort,
    KeyTooLong,
}

impl From<TagListFault> for KeyFault {
    fn from(fault: TagListFault) -> Self {
        Self::TagList(fault)
    }
}

impl KeyFault {
    /// Stable, for findings.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoRecord => "key_no_record",
            Self::Unanswered => "key_unanswered",
            Self::TagList(fault) => fault.code(),
            Self::Version => "key_version",
            Self::KeyType => "key_type",
            Self::HashNotAllowed => "key_hash_not_allowed",
            Self::ServiceNotEmail => "key_service_not_email",
            Self::SubdomainIdentity => "key_subdomain_identity",
            Self::MissingKey => "key_missing",
            Self::Revoked => "key_revoked",
            Self::BadKey => "key_bad",
            Self::KeyTooShort => "key_too_short",
            Self::KeyTooLong => "key_too_long",
        }
    }

    /// One sentence for people.
    #[must_use]
    pub const fn detail(self) -> &'static str {
        match self {
            Self::NoRecord => "DNS has no key for it.",
            Self::Unanswered => "DNS gave no answer about the key.",
            Self::TagList(fault) => fault.detail(),
            Self::Version => "The key record does not begin with v=DKIM1 although it has a version.",
            Self::KeyType => "The key is of another type than the signature needs.",
            Self::HashNotAllowed => "The key record does not allow SHA-256.",
            Self::ServiceNotEmail => "The key is not for email.",
            Self::SubdomainIdentity => "The key does not allow identities in subdomains.",
            Self::MissingKey => "The key record has no key.",
            Self::Revoked => "The key is revoked.",
            Self::BadKey => "The key cannot be read.",
            Self::KeyTooShort => "The RSA key is shorter than 1024 bits.",
            Self::KeyTooLong => "The RSA key is longer than 8192 bits.",
        }
    }

    /// A TEMPFAIL or a PERMFAIL of RFC 6376 §6.1.2.
    #[must_use]
    pub const fn result(self) -> DkimResult {
        match self {
            Self::Unanswered => DkimResult::TempError,
            Self::NoRecord
            | Self::TagList(_)
            | Self::Version
            | Self::KeyType
            | Self::HashNotAllowed
            | Self::ServiceNotEmail
            | Self::SubdomainIdentity
            | Self::MissingKey
            | Self::Revoked
            | Self::BadKey
            | Self::KeyTooShort
            | Self::KeyTooLong => DkimResult::PermError,
        }
    }
}

/// Judges the key record that was found for a signature. `record` is one TXT record, its strings joined.
///
/// # Errors
/// The first reason why the key must not verify this signature.
pub fn key_policy(record: &str, signer: &Signer) -> Result<KeyStrength, KeyFault> {
    strength_and_octets(record, signer).map(|(strength, _)| strength)
}

fn strength_and_octets(record: &str, signer: &Signer) -> Result<(KeyStrength, Vec<u8>), KeyFault> {
    let tags = TagList::parse(record)?;
    if tags.get("v").is_some_and(|version| version != "DKIM1" || !tags.begins_with("v")) {
        return Err(KeyFault::Version);
    }
    if tags.get("k").unwrap_or("rsa") != key_type(signer.algorithm) {
        return Err(KeyFault::KeyType);
    }
    check_restrictions(&tags, signer)?;
    let key = match tags.get("p") {
        None => return Err(KeyFault::MissingKey),
        Some("") => return Err(KeyFault::Revoked),
        Some(key) => octets(key).ok_or(KeyFault::BadKey)?,
    };
    let strength = KeyStrength { rsa_bits: strength(signer.algorithm, &key)?, testing: lists(&tags, "t", "y") };
    Ok((strength, key))
}

fn check_restrictions(tags: &TagList, signer: &Signer) -> Result<(), KeyFault> {
    if tags.get("h").is_some() && !lists(tags, "h", "sha256") {
        return Err(KeyFault::HashNotAllowed);
    }
    if tags.get("s").is_some() && !lists(tags, "s", "email") && !lists(tags, "s", "*") {
        return Err(KeyFault::ServiceNotEmail);
    }
    if lists(tags, "t", "s") && signer.identity_domain != signer.domain {
        return Err(KeyFault::SubdomainIdentity);
    }
    Ok(())
}

fn lists(tags: &TagList, name: &str, item: &str) -> bool {
    tags.get(name).is_some_and(|value| items(value).any(|listed| listed == item))
}

const fn key_type(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::RsaSha256 => "rsa",
        Algorithm::Ed25519Sha256 => "ed25519",
    }
}

fn strength(algorithm: Algorithm, key: &[u8]) -> Result<Option<usize>, KeyFault> {
    match algorithm {
        // RFC 8463 §4.2: the bare key, no ASN.1 around it.
        Algorithm::Ed25519Sha256 if key.len() == 32 => Ok(None),
        Algorithm::Ed25519Sha256 => Err(KeyFault::BadKey),
        Algorithm::RsaSha256 => match rsa_bits(key).ok_or(KeyFault::BadKey)? {
            ..MIN_RSA_BITS => Err(KeyFault::KeyTooShort),
            bits if MAX_RSA_BITS < bits => Err(KeyFault::KeyTooLong),
            bits => Ok(Some(bits)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rsa_key::{BIT_STRING, INTEGER, OBJECT_IDENTIFIER, RSA_ENCRYPTION, SEQUENCE};
    use proptest::prelude::*;

    fn signer(algorithm: Algorithm, identity_domain: &str) -> Signer {
        Signer {
            algorithm,
            domain: "bank.example".to_owned(),
            selector: "s".to_owned(),
            identity_domain: identity_domain.to_owned(),
        }
    }

    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).expect("short").to_be_bytes();
        [&[tag, 0x82, length[0], length[1]], content].concat()
    }

    /// `RSAPublicKey` with an odd modulus of that many bits.
    fn bare_rsa(bits: usize, exponent: &[u8]) -> Vec<u8> {
        let mut modulus = vec![0xff; bits.div_ceil(8)];
        modulus[0] = u8::MAX >> (modulus.len() * 8 - bits);
        if 0x80 <= modulus[0] {
            modulus.insert(0, 0);
        }
        tlv(SEQUENCE, &[tlv(INTEGER, &modulus), tlv(INTEGER, exponent)].concat())
    }

    fn wrapped_rsa(bits: usize, identifier: &[u8]) -> Vec<u8> {
        let algorithm = tlv(SEQUENCE, &[tlv(OBJECT_IDENTIFIER, identifier), vec![5, 0]].concat());
        let key = tlv(BIT_STRING, &[vec![0], bare_rsa(bits, &[1, 0, 1])].concat());
        tlv(SEQUENCE, &[algorithm, key].concat())
    }

    fn record(tags: &str, key: &[u8]) -> String {
        format!("{tags}p={}", BASE64_STANDARD.encode(key))
    }

    #[test]
    fn a_key_record_allows_what_its_tags_say() {
        let key = wrapped_rsa(2048, &RSA_ENCRYPTION);
        let strong = Ok(KeyStrength { rsa_bits: Some(2048), testing: false });
        for (tags, expected) in [
            ("", strong),
            ("v=DKIM1; ", strong),
            ("v=DKIM1; k=rsa; h=sha256; s=email; n=a note; ", strong),
            ("h=sha1 : sha256; s=tlsrpt:*; t=s; ", strong),
            ("t=y:s; ", Ok(KeyStrength { rsa_bits: Some(2048), testing: true })),
            ("k=rsa; v=DKIM1; ", Err(KeyFault::Version)),
            ("v=DKIM2; ", Err(KeyFault::Version)),
            ("v=dkim1; ", Err(KeyFault::Version)),
            ("v=; ", Err(KeyFault::Version)),
            ("k=ed25519; ", Err(KeyFault::KeyType)),
            ("k=; ", Err(KeyFault::KeyType)),
            ("h=sha1; ", Err(KeyFault::HashNotAllowed)),
            ("h=; ", Err(KeyFault::HashNotAllowed)),
            ("s=tlsrpt; ", Err(KeyFault::ServiceNotEmail)),
            ("s=emails; ", Err(KeyFault::ServiceNotEmail)),
            ("p=; ", Err(KeyFault::TagList(TagListFault::DuplicateTag))),
            ("k=rsa;; ", Err(KeyFault::TagList(TagListFault::EmptyTag))),
        ] {
            assert_eq!(
                key_policy(&record(tags, &key), &signer(Algorithm::RsaSha256, "bank.example")),
                expected,
                "{tags}"
            );
        }
    }

    #[test]
    fn a_strict_key_refuses_identities_in_subdomains() {
        let key = wrapped_rsa(2048, &RSA_ENCRYPTION);
        let below = signer(Algorithm::RsaSha256, "news.bank.example");
        assert_eq!(key_policy(&record("t=s; ", &key), &below), Err(KeyFault::SubdomainIdentity));
        assert_eq!(key_policy(&record("t=y; ", &key), &below), Ok(KeyStrength { rsa_bits: Some(2048), testing: true }));
    }

    #[test]
    fn a_record_without_a_usable_key_says_why() {
        let rsa = signer(Algorithm::RsaSha256, "bank.example");
        let long = format!("p={}", "A".repeat(crate::tag_list::MAX_TAG_LIST_OCTETS));
        for (record, expected) in [
            ("v=DKIM1", KeyFault::MissingKey),
            ("v=DKIM1; p=", KeyFault::Revoked),
            ("p=!!!!", KeyFault::BadKey),
            ("p=AAAA", KeyFault::BadKey),
            ("", KeyFault::TagList(TagListFault::EmptyTag)),
            ("hello", KeyFault::TagList(TagListFault::MissingEquals)),
            (&long, KeyFault::TagList(TagListFault::TooLong)),
        ] {
            assert_eq!(key_policy(record, &rsa), Err(expected), "{record:.40}");
        }
    }

    #[test]
    fn the_length_of_the_modulus_decides() {
        let long = |bits| wrapped_rsa(bits, &RSA_ENCRYPTION);
        let trailing = [bare_rsa(2048, &[3]), vec![0]].concat();
        for (key, expected) in [
            (long(1023), Err(KeyFault::KeyTooShort)),
            (long(1024), Ok(Some(1024))),
            (long(2047), Ok(Some(2047))),
            (long(8192), Ok(Some(8192))),
            (long(8193), Err(KeyFault::KeyTooLong)),
            (bare_rsa(2048, &[1, 0, 1]), Ok(Some(2048))),
            (bare_rsa(2048, &[3]), Ok(Some(2048))),
            (bare_rsa(2048, &[1]), Err(KeyFault::BadKey)),
            (bare_rsa(2048, &[2]), Err(KeyFault::BadKey)),
            (bare_rsa(2048, &[0]), Err(KeyFault::BadKey)),
            (bare_rsa(2048, &[0x81]), Err(KeyFault::BadKey)),
            (bare_rsa(2048, &[]), Err(KeyFault::BadKey)),
            (trailing, Err(KeyFault::BadKey)),
            (wrapped_rsa(2048, &RSA_ENCRYPTION[..8]), Err(KeyFault::BadKey)),
            (vec![SEQUENCE, 0x80], Err(KeyFault::BadKey)),
            (vec![SEQUENCE, 0x84, 0xff, 0xff, 0xff, 0xff], Err(KeyFault::BadKey)),
            (vec![SEQUENCE, 0x82, 0xff, 0xff], Err(KeyFault::BadKey)),
            (vec![], Err(KeyFault::BadKey)),
        ] {
            assert_eq!(strength(Algorithm::RsaSha256, &key), expected, "{} octets", key.len());
        }
        let weak = |bits| KeyStrength { rsa_bits: bits, testing: false }.is_weak();
        assert_eq!([Some(1024), Some(2047), Some(2048), None].map(weak), [true, true, false, false]);
    }

    #[test]
    fn an_ed25519_key_is_32_octets_long() {
        let ed25519 = signer(Algorithm::Ed25519Sha256, "bank.example");
        for (length, expected) in [
            (31, Err(KeyFault::BadKey)),
            (32, Ok(KeyStrength { rsa_bits: None, testing: false })),
            (44, Err(KeyFault::BadKey)),
        ] {
            assert_eq!(key_policy(&record("k=ed25519; ", &vec![7; length]), &ed25519), expected, "{length}");
        }
        assert_eq!(key_policy(&record("", &[7; 32]), &ed25519), Err(KeyFault::KeyType));
    }

    proptest! {
        #[test]
        fn any_key_is_judged_without_a_panic(key in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = strength(Algorithm::RsaSha256, &key);
        }

        #[test]
        fn a_damaged_key_is_judged_without_a_panic(at in 0_usize..294, octet in any::<u8>(), kept in 0_usize..300) {
            let mut key = wrapped_rsa(2048, &RSA_ENCRYPTION);
            key[at] = octet;
            key.truncate(kept);
            let _ = strength(Algorithm::RsaSha256, &key);
        }

        #[test]
        fn any_record_is_judged_without_a_panic(record in "[vkhstp]=[a-zA-Z0-9:; =]{0,40}; ?[p]=.{0,60}") {
            let _ = key_policy(&record, &signer(Algorithm::RsaSha256, "bank.example"));
        }
    }
}
