//! The signatures of a message, judged (RFC 6376 §6.1).

use std::{collections::HashMap, sync::OnceLock};

use super::{
    canonical::{BodyHash, Canonicalization},
    fault::SignatureFault,
    key::{Key, KeyFault, KeyStrength},
    signature::{Signature, SignatureFacts, Signer, unsigned_added},
};
use crate::{
    authentication::{DkimResult, DkimSignature, MAX_SIGNATURES},
    header_section::{Field, HeaderSection},
    spf::{Answer, Data, is_at_or_under},
    tag_list::TagList,
};

/// Octets of header fields that one signature covers. Honest ones stay under 64 kB, and nothing interrupts the hashing.
pub const MAX_SIGNED_OCTETS: usize = 2 << 20;

/// A message as its signatures cover it.
pub struct SignedMessage<'m> {
    pub section: &'m HeaderSection<'m>,
    body: &'m [u8],
    simple: OnceLock<BodyHash>,
    relaxed: OnceLock<BodyHash>,
}

/// What DNS said about the keys of a message, by name.
#[derive(Debug, Default)]
pub struct KeyRecords(HashMap<String, Answer>);

/// A `DKIM-Signature` field, judged as far as that is possible without its key.
pub struct Candidate<'s> {
    field: &'s Field<'s>,
    /// `d=` and `s=`, as they are written where they cannot be read.
    domain: String,
    selector: String,
    facts: Result<SignatureFacts, SignatureFault>,
}

/// The signatures that are looked at: at most [`MAX_SIGNATURES`], those that may align with the author first and otherwise
/// in message order. And how many were not. `now` is in Unix seconds.
///
/// A signature whose body hash does not match needs no key any more, so this hashes the body.
#[must_use]
pub fn candidates<'s>(message: &SignedMessage<'s>, author_domain: &str, now: u64) -> (Vec<Candidate<'s>>, usize) {
    let mut fields: Vec<_> = message.section.fields_named("DKIM-Signature").collect();
    let found = fields.len();
    if MAX_SIGNATURES < found {
        fields.sort_by_cached_key(|field| !may_align(field, author_domain));
        fields.truncate(MAX_SIGNATURES);
    }
    let ignored = found - fields.len();
    (fields.into_iter().map(|field| Candidate::of(field, message, now)).collect(), ignored)
}

impl<'s> Candidate<'s> {
    fn of(field: &'s Field<'s>, message: &SignedMessage, now: u64) -> Self {
        let facts = SignatureFacts::of(field.value, now);
        let facts = facts.and_then(|facts| message.check_body(&facts).map(|()| facts));
        let (domain, selector) = match &facts {
            Ok(SignatureFacts { signer, .. }) => (signer.domain.clone(), signer.selector.clone()),
            Err(_) => {
                let tags = TagList::of(field.value).unwrap_or_default();
                let written = |name| tags.get(name).unwrap_or_default().to_owned();
                (written("d"), written("s"))
            }
        };
        Self { field, domain, selector, facts }
    }

    /// Where its key is, unless it fails anyway.
    #[must_use]
    pub fn key_name(&self) -> Option<String> {
        self.facts.as_ref().ok().map(|facts| facts.signer.key_name())
    }

    #[must_use]
    pub fn judge(&self, message: &SignedMessage, keys: &KeyRecords) -> DkimSignature {
        let judged = DkimSignature {
            domain: self.domain.clone(),
            selector: self.selector.clone(),
            result: DkimResult::Pass,
            detail: String::new(),
            weak_key_bits: None,
            unsigned_fields: Vec::new(),
        };
        let verified = self.facts.as_ref().map_err(|fault| *fault);
        match verified.and_then(|facts| Ok((facts, message.verify(facts, self.field, keys)?))) {
            Ok((facts, strength)) => DkimSignature {
                weak_key_bits: strength.rsa_bits.filter(|_| strength.is_weak()),
                unsigned_fields: unsigned_added(facts, message.section),
                ..judged
            },
            Err(fault) => DkimSignature { result: fault.result(), detail: fault.detail(), ..judged },
        }
    }
}

impl<'m> SignedMessage<'m> {
    /// `section` is the header section of `message`.
    #[must_use]
    pub fn new(message: &'m [u8], section: &'m HeaderSection<'m>) -> Self {
        let body = message.get(section.body_offset..).unwrap_or_default();
        Self { section, body, simple: OnceLock::new(), relaxed: OnceLock::new() }
    }

    /// # Errors
    /// [`SignatureFault::BodyAltered`].
    pub fn check_body(&self, facts: &SignatureFacts) -> Result<(), SignatureFault> {
        let hash = match facts.of_body {
            Canonicalization::Simple => &self.simple,
            Canonicalization::Relaxed => &self.relaxed,
        };
        let is_unaltered = *hash.get_or_init(|| facts.of_body.body_hash(self.body)) == facts.body_hash;
        if is_unaltered { Ok(()) } else { Err(SignatureFault::BodyAltered) }
    }

    /// Whether the signature in `field` covers the fields of this message. Its body is checked apart.
    ///
    /// # Errors
    /// What is wrong with the key, or [`SignatureFault::NotVerified`].
    pub fn verify(
        &self,
        facts: &SignatureFacts,
        field: &Field,
        keys: &KeyRecords,
    ) -> Result<KeyStrength, SignatureFault> {
        let key = keys.key(&facts.signer)?;
        let mut text = Vec::with_capacity(1024);
        for signed in self.signed_fields(&facts.signed_fields, field) {
            facts.of_fields.append_field(signed.text, signed.name, signed.value, &mut text);
            text.extend_from_slice(b"\r\n");
            if MAX_SIGNED_OCTETS < text.len() {
                return Err(SignatureFault::TooMuchSigned);
            }
        }
        append_signature_field(field, &facts.signature, facts.of_fields, &mut text);
        let is_verified = key.verifies(&text, &facts.signature.octets);
        if is_verified { Ok(key.strength) } else { Err(SignatureFault::NotVerified) }
    }

    /// From the bottom up, each field once; names that are left over sign the absence of a field (RFC 6376 §5.4.2). The field
    /// that signs is never among them: it comes last, by itself (§3.7).
    fn signed_fields<'s>(&'s self, names: &'s [String], own: &'s Field) -> impl Iterator<Item = &'s Field<'m>> {
        let fields = &self.section.fields;
        let mut below: Vec<(&str, usize)> = Vec::with_capacity(names.len());
        names.iter().filter_map(move |name| {
            let known = below.iter().position(|(known, _)| known == name);
            let end = known.and_then(|place| below.get(place)).map_or(fields.len(), |(_, end)| *end);
            let found = fields.get(..end)?.iter().rposition(|field| field.is_named(name) && field.offset != own.offset);
            match known.and_then(|place| below.get_mut(place)) {
                Some(place) => place.1 = found.unwrap_or(0),
                None => below.push((name, found.unwrap_or(0))),
            }
            fields.get(found?)
        })
    }
}

impl KeyRecords {
    #[must_use]
    pub fn new(answers: impl IntoIterator<Item = (String, Answer)>) -> Self {
        Self(answers.into_iter().collect())
    }

    /// # Errors
    /// Why there is no key that may verify a signature of this signer.
    pub fn key(&self, signer: &Signer) -> Result<Key, KeyFault> {
        match self.0.get(&signer.key_name()) {
            Some(Answer::Records(records)) => Key::of(records.iter().filter_map(Data::as_text), signer),
            Some(Answer::NoRecords | Answer::NxDomain) => Err(KeyFault::NoRecord),
            Some(Answer::Failed) | None => Err(KeyFault::Unanswered),
        }
    }
}

/// Appends the field that holds a signature, without the signature itself and the line end (RFC 6376 §3.7).
pub(crate) fn append_signature_field(
    field: &Field,
    signature: &Signature,
    canonicalization: Canonicalization,
    to: &mut Vec<u8>,
) {
    let value_start = field.text.len() - field.value.len();
    let before = field.text.get(..value_start + signature.span.start).unwrap_or_default();
    let after = field.text.get(value_start + signature.span.end..).unwrap_or_default();
    let text = [before, after].concat();
    canonicalization.append_field(&text, field.name, text.get(value_start..).unwrap_or_default(), to);
}

/// Whether `d=` is the author domain, above it or below it.
fn may_align(field: &Field, author_domain: &str) -> bool {
    let tags = TagList::of(field.value).unwrap_or_default();
    let domain = tags.get("d").unwrap_or_default();
    !domain.is_empty() && (is_at_or_under(domain, author_domain) || is_at_or_under(author_domain, domain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_over_more_header_than_anybody_reads_does_not_count() {
        let tags = " v=1; a=ed25519-sha256; d=bank.example; s=s; h=from:x; b=AAAA; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        let facts = SignatureFacts::of(tags.as_bytes(), 1).expect("a signature");
        let record = format!("k=ed25519; p={}", "A".repeat(43));
        let answer = Answer::Records(vec![Data::Text(record.into_bytes())]);
        let keys = KeyRecords::new([(facts.signer.key_name(), answer)]);
        for (octets, expected) in
            [(1_000, SignatureFault::NotVerified), (MAX_SIGNED_OCTETS, SignatureFault::TooMuchSigned)]
        {
            let message = format!("X: {}\r\nFrom: a@bank.example\r\nDKIM-Signature:{tags}\r\n\r\n", "x".repeat(octets));
            let section = HeaderSection::parse(message.as_bytes());
            let field = section.fields_named("DKIM-Signature").next().expect("the signature");
            let signed = SignedMessage::new(message.as_bytes(), &section);
            assert_eq!(signed.verify(&facts, field, &keys), Err(expected), "{octets}");
        }
    }
}
