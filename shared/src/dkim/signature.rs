//! What a `DKIM-Signature` field says (RFC 6376 §3.5), and what forbids to accept it whatever its cryptography proves.

use std::ops::Range;

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::{
    canonical::{BodyHash, Canonicalization},
    fault::SignatureFault,
};
use crate::{
    authentication::MAX_SIGNED_FIELDS,
    header_section::HeaderSection,
    tag_list::{TagList, items, without_white_space},
};

/// Seconds that a signer's clock may be ahead of ours.
pub const CLOCK_SKEW_SECONDS: u64 = 300;

/// Fields that a reader or a mail program acts on, and that somebody may add to a signed message.
const DISPLAYED: [&str; 6] = ["Subject", "To", "Cc", "Date", "Content-Type", "Reply-To"];

/// Padding may be missing and the unused bits of the last character may be set: many signers write it so.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A signature that may pass: nothing in its field forbids it at the time that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureFacts {
    pub signer: Signer,
    /// `h=` in lower case, in its order, repeated names repeated.
    pub signed_fields: Vec<String>,
    /// The first half of `c=`.
    pub of_fields: Canonicalization,
    /// The second half of `c=`.
    pub of_body: Canonicalization,
    /// `bh=`.
    pub body_hash: BodyHash,
    pub signature: Signature,
}

/// Whose key verifies a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    pub algorithm: Algorithm,
    /// `d=`, as lower-case A-labels.
    pub domain: String,
    /// `s=`, as lower-case A-labels.
    pub selector: String,
    /// The domain of `i=`, or `d=` without one.
    pub identity_domain: String,
}

/// `b=`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    pub octets: Vec<u8>,
    /// Where it stands in the value of the field, with all white space around it: that is not part of what it signs.
    pub span: Range<usize>,
}

/// `a=` (RFC 8301 §3.1, RFC 8463 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    RsaSha256,
    Ed25519Sha256,
}

impl SignatureFacts {
    /// Reads the value of a `DKIM-Signature` field. `now` is in Unix seconds.
    ///
    /// # Errors
    /// The first reason why the signature must not pass (RFC 6376 §6.1.1, RFC 8301, and `l=`).
    pub fn of(value: &[u8], now: u64) -> Result<Self, SignatureFault> {
        let tags = TagList::of(value)?;
        check_version(&tags)?;
        let mut signer = Signer::of(&tags)?;
        let (signature, body_hash) = (signature(&tags)?, body_hash(&tags)?);
        let signed_fields = signed_fields(required(&tags, "h")?)?;
        if !signed_fields.iter().any(|name| name == "from") {
            return Err(SignatureFault::FromNotSigned);
        }
        let (of_fields, of_body) = canonicalization(&tags)?;
        check_query_method(&tags)?;
        check_times(&tags, now)?;
        check_body_length(&tags)?;
        signer.identity_domain = identity_domain(&tags, &signer.domain)?;
        Ok(Self { signer, signed_fields, of_fields, of_body, body_hash, signature })
    }
}

impl Signer {
    /// From `a=`, `d=` and `s=`; a signature without `i=` is in the name of its domain.
    pub(crate) fn of(tags: &TagList) -> Result<Self, SignatureFault> {
        let (algorithm, domain, selector) = (algorithm(tags)?, domain(tags)?, selector(tags)?);
        Ok(Self { algorithm, selector, identity_domain: domain.clone(), domain })
    }

    /// Where the key record is (RFC 6376 §3.6.2.1).
    #[must_use]
    pub fn key_name(&self) -> String {
        format!("{}._domainkey.{}", self.selector, self.domain)
    }
}

/// The displayed fields that occur more often in the message than in `h=`: somebody may have added them after signing.
/// A signer prevents that by naming each field once more than it occurs (RFC 6376 §8.15).
#[must_use]
pub fn unsigned_added(signature: &SignatureFacts, section: &HeaderSection) -> Vec<&'static str> {
    let signed = |name: &str| signature.signed_fields.iter().filter(|field| field.eq_ignore_ascii_case(name)).count();
    DISPLAYED.into_iter().filter(|name| signed(name) < section.fields_named(name).count()).collect()
}

/// A tag that has to be there and to have a value.
pub(crate) fn required<'a>(tags: &TagList<'a>, name: &'static str) -> Result<&'a str, SignatureFault> {
    tags.get(name).filter(|value| !value.is_empty()).ok_or(SignatureFault::MissingTag(name))
}

fn algorithm(tags: &TagList) -> Result<Algorithm, SignatureFault> {
    match required(tags, "a")? {
        "rsa-sha256" => Ok(Algorithm::RsaSha256),
        "ed25519-sha256" => Ok(Algorithm::Ed25519Sha256),
        "rsa-sha1" => Err(SignatureFault::Sha1),
        _ => Err(SignatureFault::UnknownAlgorithm),
    }
}

/// `d=`: at least two labels of letters, digits and hyphens (RFC 6376 §3.5), which may be U-labels (RFC 8616 §4).
fn domain(tags: &TagList) -> Result<String, SignatureFault> {
    let domain = a_labels(required(tags, "d")?).ok_or(SignatureFault::BadDomain)?;
    let is_domain = domain.contains('.') && domain.split('.').all(is_ldh_label);
    is_domain.then_some(domain).ok_or(SignatureFault::BadDomain)
}

/// `s=`: one label or several. Underscores are outside the grammar and in use.
fn selector(tags: &TagList) -> Result<String, SignatureFault> {
    let selector = a_labels(required(tags, "s")?).ok_or(SignatureFault::BadSelector)?;
    let is_selector = selector.split('.').all(|label| is_ldh_label(&label.replace('_', "x")));
    is_selector.then_some(selector).ok_or(SignatureFault::BadSelector)
}

/// `b=` as base64.
pub(crate) fn signature(tags: &TagList) -> Result<Signature, SignatureFault> {
    let octets = octets(required(tags, "b")?).ok_or(SignatureFault::BadBase64("b"))?;
    Ok(Signature { octets, span: tags.span("b").unwrap_or_default() })
}

/// `bh=` as base64 of 32 octets.
pub(crate) fn body_hash(tags: &TagList) -> Result<BodyHash, SignatureFault> {
    let body_hash = octets(required(tags, "bh")?).ok_or(SignatureFault::BadBase64("bh"))?;
    body_hash.try_into().map_err(|_| SignatureFault::BadBodyHash)
}

/// The names of a non-empty `h=`, in lower case.
pub(crate) fn signed_fields(value: &str) -> Result<Vec<String>, SignatureFault> {
    if items(value).nth(MAX_SIGNED_FIELDS).is_some() {
        return Err(SignatureFault::TooManySignedFields);
    }
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_graphic());
    let names: Option<_> = items(value).map(|name| is_name(name).then(|| name.to_ascii_lowercase())).collect();
    names.ok_or(SignatureFault::BadSignedFields)
}

/// `c=` for fields and body, by default `simple/simple`; the half for the body may be missing (RFC 6376 §3.5).
pub(crate) fn canonicalization(tags: &TagList) -> Result<(Canonicalization, Canonicalization), SignatureFault> {
    let value = tags.get("c").unwrap_or("simple");
    let (fields, body) = value.split_once('/').unwrap_or((value, "simple"));
    let known = Canonicalization::parse(fields).zip(Canonicalization::parse(body));
    known.ok_or(SignatureFault::UnknownCanonicalization)
}

/// A time in Unix seconds, where there is one: 1 to 12 digits (RFC 6376 §3.5).
pub(crate) fn time(tags: &TagList, name: &'static str) -> Result<Option<u64>, SignatureFault> {
    let Some(value) = tags.get(name) else { return Ok(None) };
    let is_time = value.len() <= 12 && value.bytes().all(|octet| octet.is_ascii_digit());
    let time = value.parse().ok().filter(|_| is_time);
    time.map(Some).ok_or(SignatureFault::BadTime(name))
}

pub(crate) fn check_body_length(tags: &TagList) -> Result<(), SignatureFault> {
    tags.get("l").map_or(Ok(()), |_| Err(SignatureFault::BodyLengthLimit))
}

/// Base64 that folding may interrupt.
pub(crate) fn octets(value: &str) -> Option<Vec<u8>> {
    BASE64.decode(without_white_space(value)).ok()
}

fn check_version(tags: &TagList) -> Result<(), SignatureFault> {
    if required(tags, "v")? == "1" { Ok(()) } else { Err(SignatureFault::UnknownVersion) }
}

fn check_query_method(tags: &TagList) -> Result<(), SignatureFault> {
    let known = tags.get("q").is_none_or(|methods| items(methods).any(|method| method == "dns/txt"));
    if known { Ok(()) } else { Err(SignatureFault::UnknownQueryMethod) }
}

fn check_times(tags: &TagList, now: u64) -> Result<(), SignatureFault> {
    let (signed, expires) = (time(tags, "t")?, time(tags, "x")?);
    if signed.is_some_and(|signed| now.saturating_add(CLOCK_SKEW_SECONDS) < signed) {
        return Err(SignatureFault::SignedInFuture);
    }
    if signed.zip(expires).is_some_and(|(signed, expires)| expires <= signed) {
        return Err(SignatureFault::ExpiresBeforeSigned);
    }
    if expires.is_some_and(|expires| expires < now) {
        return Err(SignatureFault::Expired);
    }
    Ok(())
}

/// The domain of `i=`, which is `d=` or below it.
fn identity_domain(tags: &TagList, domain: &str) -> Result<String, SignatureFault> {
    let Some(identity) = tags.get("i") else { return Ok(domain.to_owned()) };
    let (_, identity) = identity.rsplit_once('@').ok_or(SignatureFault::ForeignIdentity)?;
    let identity = a_labels(identity).ok_or(SignatureFault::ForeignIdentity)?;
    let below = identity.strip_suffix(domain).and_then(|labels| labels.strip_suffix('.'));
    let within = identity == domain || below.is_some_and(|labels| labels.split('.').all(is_ldh_label));
    within.then_some(identity).ok_or(SignatureFault::ForeignIdentity)
}

/// Lower-case A-labels of 253 octets at most. Longer text is not converted: the work may grow faster than its length.
fn a_labels(name: &str) -> Option<String> {
    let ascii = if 1024 < name.len() {
        None
    } else if name.is_ascii() {
        Some(name.to_ascii_lowercase())
    } else {
        idna::domain_to_ascii(name).ok()
    };
    ascii.filter(|ascii| (1..=253).contains(&ascii.len()))
}

fn is_ldh_label(label: &str) -> bool {
    let ldh = label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
    (1..=63).contains(&label.len()) && ldh && !label.starts_with('-') && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tag_list::TagListFault;
    use proptest::prelude::*;

    const NOW: u64 = 1_000_000;
    const SIGNATURE: &str = " v=1; a=rsa-sha256; d=Bank.Example; s=X1; h=From:To : subject; \
        bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA";

    fn fault(from: &str, to: &str) -> Option<SignatureFault> {
        SignatureFacts::of(SIGNATURE.replacen(from, to, 1).as_bytes(), NOW).err()
    }

    #[test]
    fn the_facts_are_in_lower_case() {
        let facts = SignatureFacts::of(SIGNATURE.as_bytes(), NOW).expect("a signature");
        assert_eq!(facts.signer.key_name(), "x1._domainkey.bank.example");
        assert_eq!(facts.signer.identity_domain, "bank.example");
        assert_eq!(facts.signed_fields, ["from", "to", "subject"]);
        assert_eq!(facts.signer.algorithm, Algorithm::RsaSha256);
    }

    #[test]
    fn what_rfc_6376_allows_has_no_fault() {
        for (from, to) in [
            ("v=1", "c=relaxed/simple; v=1"),
            ("v=1", "v=1; c=relaxed"),
            ("v=1", "v=1; q=x509/http : dns/txt"),
            ("v=1", "v=1; t=1000300; z=From:ann; unknown=x"),
            ("v=1", "v=1; t=1; x=1000000"),
            ("v=1", "v=1; x=999999999999"),
            ("v=1", "v=1; i=@bank.example"),
            ("v=1", "v=1; i=ann=40x@news.BANK.example"),
            ("rsa-sha256", "ed25519-sha256"),
            ("b=AAAA", "b=AA\r\n\tAA;"),
            ("b=AAAA", "b=AAA"),
            ("s=X1", "s=a_b.c-d"),
            ("Bank.Example", "b\u{fc}cher.example"),
            ("From:To : subject", "from"),
        ] {
            assert_eq!(fault(from, to), None, "{to}");
        }
    }

    #[test]
    fn each_reason_not_to_accept_a_signature_is_a_fault() {
        use SignatureFault::*;
        let long = "From:".repeat(MAX_SIGNED_FIELDS) + "To";
        for (from, to, expected) in [
            ("v=1; ", "", MissingTag("v")),
            ("v=1", "v=2", UnknownVersion),
            ("v=1", "v=01", UnknownVersion),
            ("v=1", "V=1", MissingTag("v")),
            ("a=rsa-sha256; ", "", MissingTag("a")),
            ("rsa-sha256", "rsa-sha1", Sha1),
            ("rsa-sha256", "RSA-SHA256", UnknownAlgorithm),
            ("rsa-sha256", "dsa-sha256", UnknownAlgorithm),
            ("d=Bank.Example; ", "", MissingTag("d")),
            ("Bank.Example", "example", BadDomain),
            ("Bank.Example", "bank.example.", BadDomain),
            ("Bank.Example", "-bank.example", BadDomain),
            ("Bank.Example", "bank example", BadDomain),
            ("Bank.Example", "a@bank.example", BadDomain),
            ("d=Bank.Example", "d=a.example; d=b.example", TagList(TagListFault::DuplicateTag)),
            ("s=X1; ", "", MissingTag("s")),
            ("s=X1", "s=a..b", BadSelector),
            ("h=From:To : subject; ", "", MissingTag("h")),
            ("From:To : subject", "To:Subject", FromNotSigned),
            ("From:To : subject", "X-From", FromNotSigned),
            ("From:To", "From::To", BadSignedFields),
            ("From:To", "Fr om:To", BadSignedFields),
            ("From:To : subject", &long, TooManySignedFields),
            ("b=AAAA", "", MissingTag("b")),
            ("b=AAAA", "b=", MissingTag("b")),
            ("b=AAAA", "b=A.AA", BadBase64("b")),
            ("bh=47", "x=47", MissingTag("bh")),
            ("bh=47", "bh=.", BadBase64("bh")),
            ("bh=47DE", "bh=", BadBodyHash),
            ("v=1", "v=1; c=", UnknownCanonicalization),
            ("v=1", "v=1; c=nofws", UnknownCanonicalization),
            ("v=1", "v=1; q=dns", UnknownQueryMethod),
            ("v=1", "v=1; t=1000301", SignedInFuture),
            ("v=1", "v=1; t=4102444800", SignedInFuture),
            ("v=1", "v=1; t=", BadTime("t")),
            ("v=1", "v=1; t=+1", BadTime("t")),
            ("v=1", "v=1; x=1000000000000", BadTime("x")),
            ("v=1", "v=1; t=5; x=5", ExpiresBeforeSigned),
            ("v=1", "v=1; t=1000200; x=1000", ExpiresBeforeSigned),
            ("v=1", "v=1; x=999999", Expired),
            ("v=1", "v=1; l=0", BodyLengthLimit),
            ("v=1", "v=1; l=99999", BodyLengthLimit),
            ("v=1", "v=1; i=@evil.example", ForeignIdentity),
            ("v=1", "v=1; i=@evilbank.example", ForeignIdentity),
            ("v=1", "v=1; i=@.bank.example", ForeignIdentity),
            ("v=1", "v=1; i=@example", ForeignIdentity),
            ("v=1", "v=1; i=bank.example", ForeignIdentity),
            ("v=1", "v=1; i=@bank.example@evil.example", ForeignIdentity),
            ("v=1", "v=1;;", TagList(TagListFault::EmptyTag)),
        ] {
            assert_eq!(fault(from, to), Some(expected), "{from} -> {to:.60}");
        }
    }

    #[test]
    fn fields_beyond_those_that_were_signed_are_named() {
        let signature = |signed: &str| {
            let value = SIGNATURE.replacen("From:To : subject", signed, 1);
            SignatureFacts::of(value.as_bytes(), NOW).expect("a signature")
        };
        for (signed, fields, expected) in [
            ("from:subject", "Subject: a\r\n", &[][..]),
            ("from:subject", "Subject: a\r\nSUBJECT: b\r\n", &["Subject"]),
            ("from:subject:subject", "Subject: a\r\nSUBJECT: b\r\n", &[]),
            ("from:to", "Subject: a\r\nTo: b\r\nCc: c\r\n", &["Subject", "Cc"]),
            ("from", "Reply-To: a\r\nContent-Type: b\r\nDate: c\r\nX: d\r\n", &["Date", "Content-Type", "Reply-To"]),
        ] {
            let message = format!("From: a@b.example\r\n{fields}\r\n");
            assert_eq!(
                unsigned_added(&signature(signed), &HeaderSection::parse(message.as_bytes())),
                expected,
                "{signed}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_value_is_judged_without_a_panic(
            before in 0_usize..140, octets in proptest::collection::vec(any::<u8>(), 0..40), now in any::<u64>(),
        ) {
            let (start, end) = SIGNATURE.as_bytes().split_at(before.min(SIGNATURE.len()));
            let fault = SignatureFacts::of(&[start, &octets, end].concat(), now).err();
            prop_assert!(fault.is_none_or(|fault| !fault.code().is_empty() && fault.detail().ends_with('.')));
        }

        #[test]
        fn an_identity_is_never_outside_the_domain(identity in "[a-z.@-]{0,24}(bank.example)?") {
            let value = SIGNATURE.replacen("v=1", &format!("v=1; i={identity}"), 1);
            if let Ok(facts) = SignatureFacts::of(value.as_bytes(), NOW) {
                let within = format!(".{}", facts.signer.identity_domain).ends_with(".bank.example");
                prop_assert!(within, "{}", identity);
            }
        }
    }
}
