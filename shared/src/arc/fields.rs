//! The shape of the ARC fields of a message (RFC 8617 §4.1): what makes a chain fail before anything is verified.

use super::fault::{ArcFault, ArcField};
use crate::{
    authentication::MAX_ARC_SETS,
    dkim::{
        Signature, SignatureFacts, SignatureFault, Signer, body_hash, canonicalization, check_body_length, required,
        signature, signed_fields, time,
    },
    header_section::{Field, HeaderSection},
    tag_list::{MAX_TAG_LIST_OCTETS, TagList, TagListFault},
};

/// One set of a chain that may pass.
pub(super) struct ArcSet<'s> {
    pub(super) results: &'s Field<'s>,
    pub(super) message_signature: MessageSignature<'s>,
    pub(super) seal: Seal<'s>,
}

pub(super) struct MessageSignature<'s> {
    pub(super) field: &'s Field<'s>,
    pub(super) facts: SignatureFacts,
    /// `x=`, in Unix seconds.
    pub(super) expires: Option<u64>,
}

pub(super) struct Seal<'s> {
    pub(super) field: &'s Field<'s>,
    pub(super) signer: Signer,
    pub(super) signature: Signature,
}

/// The sets of the chain, the first sealer's first; none without any ARC field.
///
/// Bounded: at most [`MAX_ARC_SETS`] fields of each kind are read, each up to [`MAX_TAG_LIST_OCTETS`].
///
/// # Errors
/// The first fault in the shape of the chain.
pub(super) fn arc_sets<'s>(section: &'s HeaderSection<'_>) -> Result<Vec<ArcSet<'s>>, ArcFault> {
    let counts = ArcField::ALL.map(|kind| section.fields_named(kind.name()).count());
    let sets = counts.into_iter().max().unwrap_or_default();
    if MAX_ARC_SETS < sets {
        return Err(ArcFault::TooManySets);
    }
    let results = in_order(section, ArcField::AuthenticationResults, results)?;
    let message_signatures = in_order(section, ArcField::MessageSignature, message_signature)?;
    let seals = in_order(section, ArcField::Seal, seal)?;
    let lacking = ArcField::ALL.into_iter().zip(counts).find(|(_, count)| *count < sets);
    if let Some((kind, _)) = lacking {
        return Err(ArcFault::MissingField(kind));
    }
    let fields = results.into_iter().zip(message_signatures).zip(seals);
    Ok(fields.map(|((results, message_signature), seal)| ArcSet { results, message_signature, seal }).collect())
}

/// The fields of one kind, each for itself, which have to be numbered from 1 without gap and repetition.
fn in_order<'s, T>(
    section: &'s HeaderSection<'_>,
    kind: ArcField,
    read: impl Fn(&'s Field<'s>) -> Result<(usize, T), ArcFault>,
) -> Result<Vec<T>, ArcFault> {
    let mut numbered = Vec::new();
    for field in section.fields_named(kind.name()) {
        let (instance, field) = read(field)?;
        if numbered.iter().any(|(known, _)| *known == instance) {
            return Err(ArcFault::DuplicateInstance(kind));
        }
        numbered.push((instance, field));
    }
    numbered.sort_by_key(|(instance, _)| *instance);
    let highest = numbered.last().map_or(0, |(instance, _)| *instance);
    if highest == numbered.len() {
        Ok(numbered.into_iter().map(|(_, field)| field).collect())
    } else {
        Err(ArcFault::MissingField(kind))
    }
}

fn results<'s>(field: &'s Field<'s>) -> Result<(usize, &'s Field<'s>), ArcFault> {
    let kind = ArcField::AuthenticationResults;
    if MAX_TAG_LIST_OCTETS < field.value.len() {
        return Err(ArcFault::Tags(kind, TagListFault::TooLong.into()));
    }
    Ok((results_instance(field.value).ok_or(ArcFault::BadInstance(kind))?, field))
}

fn message_signature<'s>(field: &'s Field<'s>) -> Result<(usize, MessageSignature<'s>), ArcFault> {
    let kind = ArcField::MessageSignature;
    let (tags, instance) = numbered_tags(field, kind)?;
    let (facts, expires) = signature_facts(&tags).map_err(|fault| ArcFault::Tags(kind, fault))?;
    if facts.signed_fields.iter().any(|name| name == "arc-seal") {
        return Err(ArcFault::SignsSeal);
    }
    Ok((instance, MessageSignature { field, facts, expires }))
}

fn seal<'s>(field: &'s Field<'s>) -> Result<(usize, Seal<'s>), ArcFault> {
    let in_seal = |fault| ArcFault::Tags(ArcField::Seal, fault);
    let (tags, instance) = numbered_tags(field, ArcField::Seal)?;
    let signer = Signer::of(&tags).map_err(in_seal)?;
    let signature = signature(&tags).map_err(in_seal)?;
    time(&tags, "t").map_err(in_seal)?;
    check_seal(&tags, instance)?;
    Ok((instance, Seal { field, signer, signature }))
}

/// The tags of a signature or seal and the number of its set.
fn numbered_tags<'s>(field: &'s Field<'s>, kind: ArcField) -> Result<(TagList<'s>, usize), ArcFault> {
    let tags = TagList::of(field.value).map_err(|fault| ArcFault::Tags(kind, fault.into()))?;
    let instance = tags.get("i").and_then(instance).ok_or(ArcFault::BadInstance(kind))?;
    Ok((tags, instance))
}

/// What an `ARC-Message-Signature` says beside its number, and when it expires.
fn signature_facts(tags: &TagList) -> Result<(SignatureFacts, Option<u64>), SignatureFault> {
    let signer = Signer::of(tags)?;
    let (signature, body_hash) = (signature(tags)?, body_hash(tags)?);
    let (of_fields, of_body) = canonicalization(tags)?;
    check_body_length(tags)?;
    time(tags, "t")?;
    let expires = time(tags, "x")?;
    let signed_fields = match tags.get("h") {
        None => return Err(SignatureFault::MissingTag("h")),
        // Unlike a DKIM signature, this one need not name any field: From is not its business (RFC 8617 §4.1.2).
        Some("") => Vec::new(),
        Some(names) => signed_fields(names)?,
    };
    Ok((SignatureFacts { signer, signed_fields, of_fields, of_body, body_hash, signature }, expires))
}

fn check_seal(tags: &TagList, instance: usize) -> Result<(), ArcFault> {
    if tags.get("h").is_some() {
        return Err(ArcFault::SealWithSignedFields);
    }
    let status = required(tags, "cv").map_err(|fault| ArcFault::Tags(ArcField::Seal, fault))?;
    match (status, instance) {
        ("none", 1) | ("pass", 2..) => Ok(()),
        ("none" | "pass", _) => Err(ArcFault::WrongChainStatus),
        ("fail", _) => Err(ArcFault::SealedAsFailed),
        _ => Err(ArcFault::BadChainStatus),
    }
}

/// `i=1; ` before what the sealer recorded, which is not a tag list (RFC 8617 §4.1.1).
fn results_instance(value: &[u8]) -> Option<usize> {
    let start = value.get(..value.len().min(MAX_TAG_LIST_OCTETS))?;
    let end = start.iter().position(|octet| *octet == b';')?;
    TagList::of(start.get(..end)?).ok()?.get("i").and_then(instance)
}

fn instance(value: &str) -> Option<usize> {
    let is_number = value.len() <= 2 && value.bytes().all(|octet| octet.is_ascii_digit());
    let number = value.parse().ok().filter(|_| is_number)?;
    (1..=MAX_ARC_SETS).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tag_list::TagListFault;
    use proptest::prelude::*;

    const RESULTS: &str = "i=1; mx.example; dmarc=pass";
    const SIGNATURE: &str = "i=1; a=rsa-sha256; c=relaxed/relaxed; d=lists.example; s=x; t=1; h=from:to; \
        bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA";
    const SEAL: &str = "i=1; a=rsa-sha256; cv=none; d=lists.example; s=x; t=1; b=AAAA";

    fn fault_in(section: &HeaderSection) -> Option<ArcFault> {
        arc_sets(section).err()
    }

    fn fault(results: &str, signature: &str, seal: &str) -> Option<ArcFault> {
        fault_of(&set(results, signature, seal))
    }

    fn fault_of(fields: &str) -> Option<ArcFault> {
        fault_in(&HeaderSection::parse(format!("{fields}From: ann@bank.example\r\n\r\n").as_bytes()))
    }

    fn set(results: &str, signature: &str, seal: &str) -> String {
        format!("ARC-Seal: {seal}\r\nARC-Message-Signature: {signature}\r\nARC-Authentication-Results: {results}\r\n")
    }

    fn chain(sets: usize) -> String {
        let numbered = |text: &str, n: usize| text.replacen("i=1", &format!("i={n}"), 1);
        let set = |n| {
            let seal = numbered(SEAL, n).replace("cv=none", if n == 1 { "cv=none" } else { "cv=pass" });
            set(&numbered(RESULTS, n), &numbered(SIGNATURE, n), &seal)
        };
        (1..=sets).rev().map(set).collect()
    }

    #[test]
    fn a_well_formed_chain_has_no_fault() {
        for sets in [0, 1, 2, 3, MAX_ARC_SETS] {
            assert_eq!(fault_of(&chain(sets)), None, "{sets}");
        }
        assert_eq!(fault_of(&chain(MAX_ARC_SETS + 1)), Some(ArcFault::TooManySets));
    }

    #[test]
    fn every_number_has_one_field_of_each_kind() {
        use ArcField::*;
        for (results, signature, seal, expected) in [
            ("mx.example; dmarc=pass", "i=1", "i=1", ArcFault::BadInstance(AuthenticationResults)),
            ("i=0; mx.example", "i=1", "i=1", ArcFault::BadInstance(AuthenticationResults)),
            ("i=1 mx.example; dmarc=pass", "i=1", "i=1", ArcFault::BadInstance(AuthenticationResults)),
            ("i=1", "i=1", "i=1", ArcFault::BadInstance(AuthenticationResults)),
            ("i=2; mx.example", "i=1", "i=1", ArcFault::MissingField(AuthenticationResults)),
            ("i=1; mx.example", "x=1", "i=1", ArcFault::BadInstance(MessageSignature)),
            ("i=1; mx.example", "i=51", "i=1", ArcFault::BadInstance(MessageSignature)),
            ("i=1; mx.example", "i=001", "i=1", ArcFault::BadInstance(MessageSignature)),
            ("i=1; mx.example", "i=2", "i=1", ArcFault::MissingField(MessageSignature)),
            ("i=1; mx.example", "i=1", "i=+1", ArcFault::BadInstance(Seal)),
            ("i=1; mx.example", "i=1", "I=1", ArcFault::BadInstance(Seal)),
        ] {
            let found = fault(results, &SIGNATURE.replacen("i=1", signature, 1), &SEAL.replacen("i=1", seal, 1));
            assert_eq!(found, Some(expected), "{results} {signature} {seal}");
        }
        for kind in ArcField::ALL {
            let without: String = chain(1).replace(&format!("{}:", kind.name()), "X:");
            assert_eq!(fault_of(&without), Some(ArcFault::MissingField(kind)), "{kind:?}");
        }
        for (name, field, expected) in [
            ("ARC-Authentication-Results", RESULTS, AuthenticationResults),
            ("ARC-Message-Signature", SIGNATURE, MessageSignature),
            ("ARC-Seal", SEAL, Seal),
        ] {
            let found = fault_of(&format!("{}{name}: {field}\r\n", chain(1)));
            assert_eq!(found, Some(ArcFault::DuplicateInstance(expected)), "{name}");
        }
        let without_second = chain(3).replacen(&chain(2), &chain(1), 1);
        assert_eq!(fault_of(&without_second), Some(ArcFault::MissingField(AuthenticationResults)));
    }

    #[test]
    fn results_that_are_too_long_fail_the_chain() {
        let results = |octets: usize| format!("{RESULTS}{}", "x".repeat(octets));
        assert_eq!(fault(&results(1_000), SIGNATURE, SEAL), None);
        let too_long = ArcFault::Tags(ArcField::AuthenticationResults, SignatureFault::TagList(TagListFault::TooLong));
        assert_eq!(fault(&results(MAX_TAG_LIST_OCTETS), SIGNATURE, SEAL), Some(too_long));
    }

    #[test]
    fn a_seal_has_the_tags_of_a_seal() {
        let tags = |fault| Some(ArcFault::Tags(ArcField::Seal, fault));
        let list = |fault| tags(SignatureFault::TagList(fault));
        for (from, to, expected) in [
            ("t=1; ", "", None),
            ("t=1", "t=1; w=unknown", None),
            ("b=AAAA", "b=AA\r\n AA;", None),
            ("a=rsa-sha256; ", "", tags(SignatureFault::MissingTag("a"))),
            ("a=rsa-sha256", "A=rsa-sha256", tags(SignatureFault::MissingTag("a"))),
            ("rsa-sha256", "rsa-sha1", tags(SignatureFault::Sha1)),
            ("rsa-sha256", "rsa-md5", tags(SignatureFault::UnknownAlgorithm)),
            ("b=AAAA", "b=", tags(SignatureFault::MissingTag("b"))),
            ("b=AAAA", "b=A-_A", tags(SignatureFault::BadBase64("b"))),
            ("lists.example", "lists..example", tags(SignatureFault::BadDomain)),
            ("d=lists.example; ", "", tags(SignatureFault::MissingTag("d"))),
            ("s=x", "S=x", tags(SignatureFault::MissingTag("s"))),
            ("t=1", "t=-1", tags(SignatureFault::BadTime("t"))),
            ("t=1", "t=1 2", tags(SignatureFault::BadTime("t"))),
            ("s=x", "s=x; _=", list(TagListFault::BadName)),
            ("s=x", "s=x; s=x", list(TagListFault::DuplicateTag)),
            ("s=x;", "s=x;;", list(TagListFault::EmptyTag)),
            ("s=x", "s=x; h=from", Some(ArcFault::SealWithSignedFields)),
            ("cv=none; ", "", tags(SignatureFault::MissingTag("cv"))),
            ("cv=none", "cv=", tags(SignatureFault::MissingTag("cv"))),
            ("cv=none", "cv=None", Some(ArcFault::BadChainStatus)),
            ("cv=none;", "cv=none", tags(SignatureFault::MissingTag("d"))),
            ("cv=none", "cv=pass", Some(ArcFault::WrongChainStatus)),
            ("cv=none", "cv=fail", Some(ArcFault::SealedAsFailed)),
        ] {
            assert_eq!(fault(RESULTS, SIGNATURE, &SEAL.replacen(from, to, 1)), expected, "{from} -> {to}");
        }
        assert_eq!(fault_of(&chain(2).replace("cv=pass", "cv=none")), Some(ArcFault::WrongChainStatus));
    }

    #[test]
    fn a_message_signature_has_the_tags_of_one() {
        let tags = |fault| Some(ArcFault::Tags(ArcField::MessageSignature, fault));
        for (from, to, expected) in [
            ("c=relaxed/relaxed; ", "", None),
            ("relaxed/relaxed", "relaxed", None),
            ("h=from:to", "h=", None),
            ("h=from:to", "h=to : ARC-Message-Signature", None),
            ("h=from:to; ", "", tags(SignatureFault::MissingTag("h"))),
            ("h=from:to", "h=from:ARC-seal", Some(ArcFault::SignsSeal)),
            ("h=from:to", "h=from::to", tags(SignatureFault::BadSignedFields)),
            ("t=1", "l=1", tags(SignatureFault::BodyLengthLimit)),
            ("t=1", "x=", tags(SignatureFault::BadTime("x"))),
            ("relaxed/relaxed", "", tags(SignatureFault::UnknownCanonicalization)),
            ("relaxed/relaxed", "relaxed/", tags(SignatureFault::UnknownCanonicalization)),
            ("rsa-sha256", "rsa-sha1", tags(SignatureFault::Sha1)),
            ("bh=47", "bx=47", tags(SignatureFault::MissingTag("bh"))),
            ("bh=47DE", "bh=", tags(SignatureFault::BadBodyHash)),
            ("b=AAAA", "", tags(SignatureFault::MissingTag("b"))),
        ] {
            assert_eq!(fault(RESULTS, &SIGNATURE.replacen(from, to, 1), SEAL), expected, "{from} -> {to}");
        }
    }

    proptest! {
        #[test]
        fn any_fields_are_judged_without_a_panic(
            results in "[ -~\t]{0,40}", signature in "(i=1; )?[ -~\t]{0,80}", seal in "(i=1; )?[ -~\t]{0,80}",
        ) {
            let found = fault(&results, &signature, &seal);
            prop_assert!(found.is_some_and(|fault| !fault.code().is_empty() && fault.detail().ends_with('.')));
        }

        #[test]
        fn a_chain_with_one_octet_changed_is_judged_without_a_panic(at in 0_usize..400, octet in any::<u8>()) {
            let mut fields = chain(1).into_bytes();
            let at = at % fields.len();
            fields[at] = octet;
            drop(fault_in(&HeaderSection::parse(&fields)).map(ArcFault::detail));
        }
    }
}
