//! The shape of the ARC fields of a message (RFC 8617 §4.1): what makes a chain fail before anything is verified.

use crate::{
    authentication::MAX_ARC_SETS,
    dkim_signature::{
        algorithm, check_body_length, check_canonicalization, check_hashes, check_signature, domain, required,
        selector, signed_fields, time,
    },
    header_section::{Field, HeaderSection},
    signature_fault::SignatureFault,
    tag_list::{MAX_TAG_LIST_OCTETS, TagList},
};

/// The three fields of a set, in the order in which a sealer adds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ArcField {
    AuthenticationResults,
    MessageSignature,
    Seal,
}

/// Why a chain fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ArcFault {
    TooManySets,
    /// `i=` is missing, or not from 1 to 50.
    BadInstance(ArcField),
    DuplicateInstance(ArcField),
    /// Some set lacks this field, or some number below the highest lacks a set.
    MissingField(ArcField),
    /// A fault in the tags of a signature or seal.
    Tags(ArcField, SignatureFault),
    /// `h=` of an `ARC-Message-Signature` names `ARC-Seal` (RFC 8617 §4.1.2).
    SignsSeal,
    /// `h=` in an `ARC-Seal` (RFC 8617 §4.1.3).
    SealWithSignedFields,
    /// `cv=` is not `none`, `pass` or `fail`.
    BadChainStatus,
    /// `cv=` that the place in the chain does not allow: `none` in the first set, `pass` in all others (RFC 8617 §5.2).
    WrongChainStatus,
    /// `cv=fail`: an earlier receiver saw the chain broken.
    SealedAsFailed,
}

impl ArcField {
    pub const ALL: [Self; 3] = [Self::AuthenticationResults, Self::MessageSignature, Self::Seal];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AuthenticationResults => "ARC-Authentication-Results",
            Self::MessageSignature => "ARC-Message-Signature",
            Self::Seal => "ARC-Seal",
        }
    }
}

impl ArcFault {
    /// Stable, for findings.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooManySets => "arc_too_many_sets",
            Self::BadInstance(_) => "arc_bad_instance",
            Self::DuplicateInstance(_) => "arc_duplicate_instance",
            Self::MissingField(_) => "arc_missing_field",
            Self::Tags(_, fault) => fault.code(),
            Self::SignsSeal => "arc_signs_seal",
            Self::SealWithSignedFields => "arc_seal_with_signed_fields",
            Self::BadChainStatus => "arc_bad_chain_status",
            Self::WrongChainStatus => "arc_wrong_chain_status",
            Self::SealedAsFailed => "arc_sealed_as_failed",
        }
    }

    /// One sentence for people.
    #[must_use]
    pub fn detail(self) -> String {
        match self {
            Self::TooManySets => "The ARC chain has more than 50 sets.".to_owned(),
            Self::BadInstance(field) => format!("An {} has no number from 1 to 50.", field.name()),
            Self::DuplicateInstance(field) => format!("Two {} fields have the same number.", field.name()),
            Self::MissingField(field) => format!("A set of the ARC chain lacks its {}.", field.name()),
            Self::Tags(field, fault) => format!("In an {}: {}", field.name(), fault.detail()),
            Self::SignsSeal => "An ARC-Message-Signature signs ARC-Seal.".to_owned(),
            Self::SealWithSignedFields => "An ARC-Seal has the tag h=.".to_owned(),
            Self::BadChainStatus => "The tag cv= of an ARC-Seal is not none, pass or fail.".to_owned(),
            Self::WrongChainStatus => "The tag cv= of an ARC-Seal does not fit its place in the chain.".to_owned(),
            Self::SealedAsFailed => "An earlier receiver sealed the ARC chain as failed.".to_owned(),
        }
    }
}

/// The first fault in the shape of the chain; `None` for a chain that may pass, and without any ARC field.
///
/// Bounded: at most [`MAX_ARC_SETS`] fields of each kind are read, each up to [`MAX_TAG_LIST_OCTETS`].
#[must_use]
pub fn arc_fields_fault(section: &HeaderSection) -> Option<ArcFault> {
    check_chain(section).err()
}

fn check_chain(section: &HeaderSection) -> Result<(), ArcFault> {
    let counts = ArcField::ALL.map(|kind| section.fields_named(kind.name()).count());
    let sets = counts.into_iter().max().unwrap_or_default();
    if MAX_ARC_SETS < sets {
        return Err(ArcFault::TooManySets);
    }
    for kind in ArcField::ALL {
        check_fields(section, kind)?;
    }
    let lacking = ArcField::ALL.into_iter().zip(counts).find(|(_, count)| *count < sets);
    lacking.map_or(Ok(()), |(kind, _)| Err(ArcFault::MissingField(kind)))
}

/// The fields of one kind, each for itself, and that they are numbered from 1 without gap and repetition.
fn check_fields(section: &HeaderSection, kind: ArcField) -> Result<(), ArcFault> {
    let mut seen = Vec::new();
    for field in section.fields_named(kind.name()) {
        let instance = check_field(field, kind)?;
        if seen.contains(&instance) {
            return Err(ArcFault::DuplicateInstance(kind));
        }
        seen.push(instance);
    }
    let highest = seen.iter().copied().max().unwrap_or_default();
    if highest == seen.len() { Ok(()) } else { Err(ArcFault::MissingField(kind)) }
}

/// Answers the number of the set.
fn check_field(field: &Field, kind: ArcField) -> Result<usize, ArcFault> {
    match kind {
        ArcField::AuthenticationResults => results_instance(field.value).ok_or(ArcFault::BadInstance(kind)),
        ArcField::MessageSignature => {
            let (tags, instance) = signature_tags(field, kind)?;
            check_message_signature(&tags).map(|()| instance)
        }
        ArcField::Seal => {
            let (tags, instance) = signature_tags(field, kind)?;
            check_seal(&tags, instance).map(|()| instance)
        }
    }
}

/// The tags of a signature or seal and the number of its set, after the checks that are due for both.
fn signature_tags<'a>(field: &Field<'a>, kind: ArcField) -> Result<(TagList<'a>, usize), ArcFault> {
    let in_field = |fault| ArcFault::Tags(kind, fault);
    let tags = TagList::of(field.value).map_err(|fault| in_field(fault.into()))?;
    let instance = tags.get("i").and_then(instance).ok_or(ArcFault::BadInstance(kind))?;
    check_common(&tags).map_err(in_field)?;
    Ok((tags, instance))
}

fn check_common(tags: &TagList) -> Result<(), SignatureFault> {
    algorithm(tags)?;
    check_signature(tags)?;
    domain(tags)?;
    selector(tags)?;
    time(tags, "t")?;
    Ok(())
}

fn check_message_signature(tags: &TagList) -> Result<(), ArcFault> {
    let in_field = |fault| ArcFault::Tags(ArcField::MessageSignature, fault);
    check_hashes(tags).map_err(in_field)?;
    check_canonicalization(tags).map_err(in_field)?;
    check_body_length(tags).map_err(in_field)?;
    time(tags, "x").map_err(in_field)?;
    let names = match tags.get("h") {
        None => return Err(in_field(SignatureFault::MissingTag("h"))),
        // Unlike a DKIM signature, this one need not name any field: From is not its business (RFC 8617 §4.1.2).
        Some("") => return Ok(()),
        Some(names) => signed_fields(names).map_err(in_field)?,
    };
    if names.iter().any(|name| name == "arc-seal") { Err(ArcFault::SignsSeal) } else { Ok(()) }
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

    fn fault(results: &str, signature: &str, seal: &str) -> Option<ArcFault> {
        fault_of(&set(results, signature, seal))
    }

    fn fault_of(fields: &str) -> Option<ArcFault> {
        arc_fields_fault(&HeaderSection::parse(format!("{fields}From: ann@bank.example\r\n\r\n").as_bytes()))
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
            drop(arc_fields_fault(&HeaderSection::parse(&fields)).map(ArcFault::detail));
        }
    }
}
