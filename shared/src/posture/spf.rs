//! Who may send for the domain (RFC 7208), and whether receivers can find that out within the limits.

use super::{
    finding::{Finding, FindingCode},
    mx::MxPosture,
    place::{Found, Place, Wanted, shown, shown_item, shown_items},
    recorded::Recorded,
    stray,
};
use crate::spf::{
    Data, Directive, Extent, MAX_LOOKUPS, MAX_VOID_LOOKUPS, MacroString, Mechanism, PolicyFaultKind, Qualifier,
    QuestionKind, Record, SpfCost, is_spf,
};

/// What may stand before an equals sign: the version, modifiers of RFC 7208 §6, and those of RFC 6652 §3.
const MODIFIERS: [&str; 6] = ["v", "redirect", "exp", "ra", "rp", "rr"];

/// A policy, and what it costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpfPosture {
    /// What holds for clients that nothing matches, by this record alone.
    pub all: Option<Qualifier>,
    /// The policies that it includes, as far as they do not depend on the message.
    pub includes: Vec<String>,
    pub redirect: Option<String>,
    /// Terms that cause lookups, other policies included (RFC 7208 §4.6.4).
    pub lookups: usize,
    pub void_lookups: usize,
    /// Whether both were counted to the end.
    pub extent: Extent,
}

pub(super) fn judge(recorded: &Recorded, mx: &MxPosture, findings: &mut Vec<Finding>) -> Place<SpfPosture> {
    let domain = recorded.domain.as_str();
    let example = if mx.may_take_mail() { "v=spf1 mx -all" } else { "v=spf1 -all" };
    let wanted = Wanted {
        what: "SPF",
        name: domain,
        example: example.to_owned(),
        missing: Some(FindingCode::SpfMissing),
        several: FindingCode::SpfSeveralRecords,
        invalid: FindingCode::SpfInvalid,
    };
    let mut record = None;
    let parse = |text: &[u8]| {
        let parsed = Record::parse(text)?;
        let posture = SpfPosture::new(&parsed, &recorded.spf_cost);
        record = Some((shown(text), parsed));
        Ok::<_, crate::spf::RecordError>(posture)
    };
    let place = wanted.read(recorded.place(domain, is_spf), parse, findings);
    if let Some((text, record)) = record {
        let policy = Policy { domain, text: &text, record: &record, cost: &recorded.spf_cost };
        findings.extend(policy.findings());
    }
    findings.extend(missing_explanation(recorded));
    findings.extend(deprecated_type(recorded));
    findings.extend(stray::beside_spf(recorded));
    place
}

/// Where the words for a fail are (RFC 7208 §6.2), unless that depends on the message.
pub(super) fn explanation_name(recorded: &Recorded) -> Option<String> {
    let Found::One(text) = recorded.place(recorded.domain.as_str(), is_spf) else { return None };
    Record::parse(&text).ok()?.explanation?.literal()
}

impl SpfPosture {
    fn new(record: &Record, cost: &SpfCost) -> Self {
        let include = |directive: &Directive| match &directive.mechanism {
            Mechanism::Include(target) => target.literal(),
            _ => None,
        };
        let includes: Vec<String> = record.directives.iter().filter_map(include).collect();
        Self {
            all: all(record),
            includes: shown_items(includes.iter().map(String::as_str)),
            redirect: record.redirect.as_ref().and_then(MacroString::literal).as_deref().map(shown_item),
            lookups: cost.lookups,
            void_lookups: cost.void_lookups,
            extent: cost.extent,
        }
    }
}

/// A record that can be read, with what stands behind it.
struct Policy<'p> {
    domain: &'p str,
    text: &'p str,
    record: &'p Record,
    cost: &'p SpfCost,
}

impl Policy<'_> {
    fn findings(&self) -> Vec<Finding> {
        let everyone = self.cost.pass_everyone.iter().map(|domain| self.passes_everyone(domain));
        let broken = self.cost.faults.iter().filter(|fault| fault.kind != PolicyFaultKind::Unanswered);
        let broken = broken.map(|fault| self.broken(&fault.domain, &fault.kind));
        let ptr = self.cost.use_ptr.iter().map(|domain| self.ptr(domain));
        let limits = [self.lookups(), self.void_lookups()].into_iter().flatten();
        let ending = [self.ending(), self.terms_after_all(), self.ignored_redirect(), self.unknown_modifier()];
        let ending = ending.into_iter().flatten();
        everyone.chain(broken).chain(limits).chain(ending).chain(ptr).collect()
    }

    fn passes_everyone(&self, whose: &str) -> Finding {
        let detail = format!("The SPF record of {whose} lets every client pass for {}.", self.domain);
        let fix = match whose == self.domain {
            true => format!("Publish at {whose} the TXT record \"{}\".", self.closed()),
            false => {
                format!("Remove the term of {} that leads to {whose}, or have its owner end it with -all.", self.domain)
            }
        };
        Finding::new(FindingCode::SpfPassesEveryone, detail, fix)
    }

    fn broken(&self, whose: &str, kind: &PolicyFaultKind) -> Finding {
        let detail = format!("The SPF record of {} leads to {}, which {}.", self.domain, shown(whose.as_bytes()), kind);
        let fix = format!(
            "Remove the term that leads to {} from the TXT record at {}, or have its owner correct it.",
            shown(whose.as_bytes()),
            self.domain
        );
        Finding::new(FindingCode::SpfBrokenPolicy, detail, fix)
    }

    fn lookups(&self) -> Option<Finding> {
        let SpfCost { lookups, extent, .. } = self.cost;
        let at_least = if *extent == Extent::Part { "at least " } else { "" };
        let detail = format!("The SPF record of {} needs {at_least}{lookups} lookups, of {MAX_LOOKUPS}.", self.domain);
        let fix = format!(
            "Remove services that no longer send from the TXT record at {}, and write ip4: and ip6: terms instead of a, mx \
             and include where the addresses are yours.",
            self.domain
        );
        (MAX_LOOKUPS < *lookups).then(|| Finding::new(FindingCode::SpfTooManyLookups, detail, fix))
    }

    fn void_lookups(&self) -> Option<Finding> {
        let found = self.cost.void_lookups;
        let detail =
            format!("{found} lookups of the SPF record of {} find nothing, of {MAX_VOID_LOOKUPS}.", self.domain);
        let fix = format!("Remove the terms whose names do not exist from the TXT record at {}.", self.domain);
        (MAX_VOID_LOOKUPS < found).then(|| Finding::new(FindingCode::SpfTooManyVoidLookups, detail, fix))
    }

    fn ending(&self) -> Option<Finding> {
        let code = match (all(self.record), &self.record.redirect) {
            (Some(Qualifier::Neutral), _) => FindingCode::SpfNeutralAll,
            (None, None) => FindingCode::SpfNoAll,
            _ => return None,
        };
        let detail = format!("The SPF record of {} says nothing about clients that it does not name.", self.domain);
        let fix = format!("Publish at {} the TXT record \"{}\".", self.domain, self.closed());
        Some(Finding::new(code, detail, fix))
    }

    fn terms_after_all(&self) -> Option<Finding> {
        let directives = &self.record.directives;
        let at = directives.iter().position(is_all)?;
        let detail = format!("Terms behind all in the SPF record of {} are never tried.", self.domain);
        let fix = format!("Move all to the end of the TXT record at {}, or delete what follows it.", self.domain);
        (at + 1 < directives.len()).then(|| Finding::new(FindingCode::SpfTermsAfterAll, detail, fix))
    }

    fn ignored_redirect(&self) -> Option<Finding> {
        let is_ignored = all(self.record).is_some() && self.record.redirect.is_some();
        let detail = format!("The SPF record of {} has all, so that its redirect is ignored.", self.domain);
        let fix = format!("Delete either all or redirect= from the TXT record at {}.", self.domain);
        is_ignored.then(|| Finding::new(FindingCode::SpfRedirectIgnored, detail, fix))
    }

    /// The first modifier that is neither of RFC 7208 nor of RFC 6652.
    fn unknown_modifier(&self) -> Option<Finding> {
        let modifiers = self.text.split(' ').filter_map(|term| term.split_once('='));
        let mut names = modifiers.map(|(name, _)| name).filter(|name| !name.contains([':', '/']));
        let unknown = names.find(|name| !MODIFIERS.iter().any(|known| name.eq_ignore_ascii_case(known)))?;
        let detail =
            format!("Nobody knows the modifier {unknown}= in the SPF record of {}, so it is ignored.", self.domain);
        let fix = format!("Delete {unknown}= from the TXT record at {}, or correct its spelling.", self.domain);
        Some(Finding::new(FindingCode::SpfUnknownModifier, detail, fix))
    }

    fn ptr(&self, whose: &str) -> Finding {
        let fix = format!("Write the addresses as ip4: and ip6: terms instead of ptr in the TXT record at {whose}.");
        Finding::new(FindingCode::SpfPtr, format!("The SPF record of {whose} uses ptr."), fix)
    }

    /// The record, so that it ends in `-all`. A network of all addresses goes.
    fn closed(&self) -> String {
        let is_open = |term: &&str| {
            let name = term.trim_start_matches(['+', '?']).to_ascii_lowercase();
            name != "all" && !name.ends_with(":0.0.0.0/0") && !name.ends_with("::/0")
        };
        let kept: Vec<&str> = self.text.split(' ').filter(|term| !term.is_empty()).filter(is_open).collect();
        let is_closed = kept.iter().any(|term| matches!(*term, "-all" | "~all"));
        kept.join(" ") + if is_closed { "" } else { " -all" }
    }
}

fn missing_explanation(recorded: &Recorded) -> Option<Finding> {
    let (domain, name) = (recorded.domain.as_str(), explanation_name(recorded)?);
    let texts = recorded.data(&name, QuestionKind::Txt)?.len();
    let name = shown(name.as_bytes());
    let detail =
        format!("The SPF record of {domain} says that {name} explains a fail; there are {texts} TXT records, not one.");
    let fix =
        format!("Publish at {name} one TXT record with a sentence for whoever is refused, or delete exp= at {domain}.");
    (texts != 1).then(|| Finding::new(FindingCode::SpfExplanationMissing, detail, fix))
}

fn deprecated_type(recorded: &Recorded) -> Option<Finding> {
    let domain = recorded.domain.as_str();
    let is_there = recorded.data(domain, QuestionKind::Spf).is_some_and(|data: &[Data]| !data.is_empty());
    let fix = format!("Delete the record of type SPF (99) at {domain}; the TXT record is the one that counts.");
    let detail = format!("{domain} has a DNS record of type SPF.");
    is_there.then(|| Finding::new(FindingCode::SpfDeprecatedType, detail, fix))
}

fn all(record: &Record) -> Option<Qualifier> {
    record.directives.iter().find(|directive| is_all(directive)).map(|directive| directive.qualifier)
}

fn is_all(directive: &Directive) -> bool {
    directive.mechanism == Mechanism::All
}

#[cfg(test)]
mod tests {
    use super::{
        super::{mx, place::State, recorded::tests::recorded},
        *,
    };

    fn judged(zone: &str) -> (Place<SpfPosture>, Vec<Finding>) {
        let recorded = recorded("x.example", zone);
        let mx = mx::judge(&recorded, &mut Vec::new());
        let mut findings = Vec::new();
        (judge(&recorded, &mx, &mut findings), findings)
    }

    #[test]
    fn a_policy_is_judged_by_how_it_ends_and_what_it_costs() {
        use FindingCode::*;
        let hosts = "\na.x.example A 192.0.2.1\ny.example TXT v=spf1 a:a.x.example ~all\nz.example TXT v=spf1 +all";
        for (zone, state, expected) in [
            ("x.example TXT v=spf1 a:a.x.example -all", State::Valid, &[][..]),
            ("x.example TXT v=spf1 ~all", State::Valid, &[]),
            ("x.example TXT v=spf1 redirect=y.example", State::Valid, &[]),
            ("x.example TXT hello", State::Absent, &[SpfMissing]),
            ("x.example TXT failure", State::Unanswered, &[]),
            ("x.example TXT v=spf1 -all\nx.example TXT v=spf1 ~all", State::Invalid, &[SpfSeveralRecords]),
            ("x.example TXT v=spf1 ipv4:192.0.2.1 -all", State::Invalid, &[SpfInvalid]),
            ("x.example TXT v=spf1 +all", State::Valid, &[SpfPassesEveryone]),
            ("x.example TXT v=spf1 include:z.example -all", State::Valid, &[SpfPassesEveryone]),
            ("x.example TXT v=spf1 ?all", State::Valid, &[SpfNeutralAll]),
            ("x.example TXT v=spf1 a:a.x.example", State::Valid, &[SpfNoAll]),
            ("x.example TXT v=spf1 -all a:a.x.example", State::Valid, &[SpfTermsAfterAll]),
            ("x.example TXT v=spf1 -all redirect=y.example", State::Valid, &[SpfRedirectIgnored]),
            ("x.example TXT v=spf1 ptr -all", State::Valid, &[SpfPtr]),
            ("x.example TXT v=spf1 include:gone.example -all", State::Valid, &[SpfBrokenPolicy]),
            ("x.example TXT v=spf1 -all\nx.example SPF v=spf1", State::Valid, &[SpfDeprecatedType]),
            ("x.example TXT v=spf1 -all colour=red", State::Valid, &[SpfUnknownModifier]),
            (
                "x.example TXT v=spf1 include:%{d}=a.example ra=a exp=e.x.example -all\ne.x.example TXT no",
                State::Valid,
                &[],
            ),
            ("x.example TXT v=spf1 exp=e.x.example -all", State::Valid, &[SpfExplanationMissing]),
            ("x.example TXT v=spf1 exp=e.x.example -all\ne.x.example TXT failure", State::Valid, &[]),
            (
                "x.example TXT v=spf1 a:a.x.example a:1.example a:2.example a:3.example -all",
                State::Valid,
                &[SpfTooManyVoidLookups],
            ),
        ] {
            let (place, findings) = judged(&format!("{zone}{hosts}"));
            let codes: Vec<FindingCode> = findings.iter().map(|finding| finding.code).collect();
            assert_eq!((place.state, codes.as_slice()), (state, expected), "{zone}");
        }
        let eleven = format!("x.example TXT v=spf1{} -all{hosts}", " include:y.example".repeat(6));
        let (place, findings) = judged(&eleven);
        assert_eq!((place.parsed.map(|spf| spf.lookups), findings[0].code), (Some(12), SpfTooManyLookups));
        assert_eq!(findings[0].detail, "The SPF record of x.example needs 12 lookups, of 10.");
    }

    #[test]
    fn the_fix_holds_the_record_to_publish_and_the_detail_the_offending_term() {
        for (record, detail, fix) in [
            ("v=spf1 mx ?all", "says nothing about", "\"v=spf1 mx -all\""),
            ("v=spf1 mx", "says nothing about", "\"v=spf1 mx -all\""),
            ("v=spf1 mx +all", "lets every client pass", "\"v=spf1 mx -all\""),
            ("v=spf1 ip4:0.0.0.0/0 ~all", "lets every client pass", "\"v=spf1 ~all\""),
            ("v=spf1 ipv4:192.0.2.1 -all", "\"ipv4\" is not a mechanism", "\"v=spf1 mx -all\""),
            ("v=spf1 ip4:192.0.2.256 -all", "\"192.0.2.256\" is not an address", "\"v=spf1 mx -all\""),
        ] {
            let zone = format!("x.example TXT {record}\nx.example MX 10 a.x.example\na.x.example A 192.0.2.1");
            let (_, findings) = judged(&zone);
            let [finding] = findings.as_slice() else { panic!("{record}: {findings:?}") };
            assert!(finding.detail.contains(detail) && finding.fix.contains(fix), "{finding:?}");
        }
    }

    #[test]
    fn what_a_record_says_is_told() {
        let (place, _) =
            judged("x.example TXT v=spf1 include:y.example exists:%{i}.x.example ~all\ny.example TXT v=spf1 a");
        let spf = place.parsed.expect("a record");
        assert_eq!(
            (spf.all, spf.includes, spf.redirect),
            (Some(Qualifier::SoftFail), vec!["y.example".to_owned()], None)
        );
        assert_eq!((spf.lookups, spf.void_lookups, spf.extent), (3, 1, Extent::Whole));
    }
}
