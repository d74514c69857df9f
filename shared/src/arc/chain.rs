//! Validation of a received chain (RFC 8617 §5.2).

use super::{
    fault::{ArcFault, ArcField},
    fields::{ArcSet, MessageSignature, Seal, arc_sets},
};
use crate::{
    dkim::{Canonicalization, KeyRecords, SignatureFault, SignedMessage, append_signature_field},
    header_section::Field,
};

/// A chain that may pass: its shape is sound, and the body is the one that the last sealer signed.
pub struct Chain<'s> {
    /// The first sealer's first; at least one.
    sets: Vec<ArcSet<'s>>,
}

impl<'s> Chain<'s> {
    /// `None` for a message without ARC fields. `now` is in Unix seconds.
    ///
    /// # Errors
    /// Why the chain fails, whatever its keys are.
    pub fn of(message: &SignedMessage<'s>, now: u64) -> Result<Option<Self>, ArcFault> {
        let sets = arc_sets(message.section)?;
        let Some(last) = sets.last() else { return Ok(None) };
        let MessageSignature { facts, expires, .. } = &last.message_signature;
        if expires.is_some_and(|expires| expires < now) {
            return Err(ArcFault::Tags(ArcField::MessageSignature, SignatureFault::Expired));
        }
        message.check_body(facts).map_err(|fault| ArcFault::Tags(ArcField::MessageSignature, fault))?;
        Ok(Some(Self { sets }))
    }

    /// Where its keys are: of the last message signature, and of all seals.
    pub fn key_names(&self) -> impl Iterator<Item = String> {
        let last = self.sets.last().map(|set| set.message_signature.facts.signer.key_name());
        last.into_iter().chain(self.sets.iter().map(|set| set.seal.signer.key_name()))
    }

    /// Domains of the seals, first hop first.
    #[must_use]
    pub fn sealers(&self) -> Vec<String> {
        self.sets.iter().map(|set| set.seal.signer.domain.clone()).collect()
    }

    /// What the first sealer recorded.
    #[must_use]
    pub fn first_results(&self) -> String {
        self.sets.first().map(|set| set.results.unfolded()).unwrap_or_default()
    }

    /// Whether the last sealer vouches for the From field: else it may be another by now.
    #[must_use]
    pub fn signs_author(&self) -> bool {
        let signed = self.sets.last().map(|set| set.message_signature.facts.signed_fields.as_slice());
        signed.unwrap_or_default().iter().any(|name| name == "from")
    }

    /// # Errors
    /// The first signature that does not verify: the last message signature, then the seals from the last to the first.
    pub fn verify(&self, message: &SignedMessage, keys: &KeyRecords) -> Result<(), ArcFault> {
        if let Some(ArcSet { message_signature: MessageSignature { field, facts, .. }, .. }) = self.sets.last() {
            let verified = message.verify(facts, field, keys);
            verified.map_err(|fault| ArcFault::Tags(ArcField::MessageSignature, fault))?;
        }
        for count in (1..=self.sets.len()).rev() {
            let sealed = self.sets.get(..count).unwrap_or_default();
            verify_seal(sealed, keys).map_err(|fault| ArcFault::Tags(ArcField::Seal, fault))?;
        }
        Ok(())
    }
}

/// The seal of the last of these sets covers all of them, in the order in which they were added (RFC 8617 §5.1.1).
fn verify_seal(sealed: &[ArcSet], keys: &KeyRecords) -> Result<(), SignatureFault> {
    let Some((ArcSet { results, message_signature, seal }, earlier)) = sealed.split_last() else { return Ok(()) };
    let Seal { field, signer, signature } = seal;
    let key = keys.key(signer)?;
    let mut text = Vec::with_capacity(1024);
    for set in earlier {
        [set.results, set.message_signature.field, set.seal.field]
            .into_iter()
            .for_each(|field| append(field, &mut text));
    }
    [results, message_signature.field].into_iter().for_each(|field| append(field, &mut text));
    append_signature_field(field, signature, Canonicalization::Relaxed, &mut text);
    if key.verifies(&text, &signature.octets) { Ok(()) } else { Err(SignatureFault::NotVerified) }
}

fn append(field: &Field, to: &mut Vec<u8>) {
    Canonicalization::Relaxed.append_field(field.text, field.name, field.value, to);
    to.extend_from_slice(b"\r\n");
}
