//! What DNS was asked about a domain, and what it said.

use std::collections::BTreeMap;

use super::{dmarc, dnssec, mx, place::Found, report, selector::SELECTORS, spf};
use crate::{
    address::Domain,
    dmarc::{MAX_WALK_QUERIES, targets},
    spf::{Answer, Data, MAX_COST_QUESTIONS, PolicyFaultKind, Question, QuestionKind, SpfCost, is_nameable},
};

/// MX, TXT and type SPF of the domain; MTA-STS, TLS-RPT, BIMI.
const SINGLE_QUESTIONS: usize = 6;
/// The tree walk of DMARC, and the same names but the top-level domain for where the zone begins.
const WALK_QUESTIONS: usize = 2 * MAX_WALK_QUERIES - 1;
/// DS of the zone, A and AAAA of mail hosts, MX and consent of who gets reports, the explanation of SPF.
const FURTHER_QUESTIONS: usize = 1 + 2 * mx::MAX_RESOLVED_HOSTS + 2 * report::MAX_ASKED + 1;

/// Questions to DNS about one domain, at most. What is not answered is sent up to three times.
pub const MAX_QUESTIONS: usize =
    SINGLE_QUESTIONS + WALK_QUESTIONS + SELECTORS.len() + FURTHER_QUESTIONS + MAX_COST_QUESTIONS;

/// Unanswered questions that are named one by one.
const MAX_NAMED: usize = 5;

/// Answers of DNS about one domain. What was asked and is not here counts as not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    pub domain: Domain,
    /// What the SPF policy costs.
    pub spf_cost: SpfCost,
    answers: BTreeMap<(String, QuestionKind), Answer>,
}

impl Recorded {
    #[must_use]
    pub fn new(domain: Domain) -> Self {
        Self { domain, spf_cost: SpfCost::default(), answers: BTreeMap::new() }
    }

    pub fn note(&mut self, question: Question, answer: Answer) {
        self.answers.insert((question.name, question.kind), answer);
    }

    /// What is asked of every domain.
    #[must_use]
    pub fn first_questions(&self) -> Vec<Question> {
        let domain = self.domain.as_str();
        let walk = targets(domain);
        let of_domain = [QuestionKind::Mx, QuestionKind::Txt, QuestionKind::Spf].map(|kind| (domain.to_owned(), kind));
        let policies = walk.iter().map(|name| (format!("_dmarc.{name}"), QuestionKind::Txt));
        let zones = dnssec::zone_candidates(domain).map(|name| (name.to_owned(), QuestionKind::Soa));
        let places = ["_mta-sts", "_smtp._tls", "default._bimi"].map(|prefix| format!("{prefix}.{domain}"));
        let keys = SELECTORS.map(|selector| key_name(selector, domain));
        let texts = places.into_iter().chain(keys).map(|name| (name, QuestionKind::Txt));
        questions(of_domain.into_iter().chain(policies).chain(zones).chain(texts))
    }

    /// What the answers to the first questions make one ask.
    #[must_use]
    pub fn further_questions(&self) -> Vec<Question> {
        let zone = dnssec::zone(self).map(|zone| (zone.to_owned(), QuestionKind::Ds));
        let hosts = mx::hosts_to_resolve(self).into_iter();
        let addresses = hosts.flat_map(|host| [(host.clone(), QuestionKind::A), (host, QuestionKind::Aaaa)]);
        let explanation = spf::explanation_name(self).map(|name| (name, QuestionKind::Txt));
        questions(zone.into_iter().chain(addresses).chain(dmarc::to_ask(self)).chain(explanation))
    }

    pub(super) fn answer(&self, name: &str, kind: QuestionKind) -> &Answer {
        if !is_nameable(name) {
            return &Answer::NxDomain;
        }
        self.answers.get(&(name.to_owned(), kind)).unwrap_or(&Answer::Failed)
    }

    /// The data of all records; `None` when DNS did not say.
    pub(super) fn data(&self, name: &str, kind: QuestionKind) -> Option<&[Data]> {
        match self.answer(name, kind) {
            Answer::Records(data) => Some(data),
            Answer::NoRecords | Answer::NxDomain => Some(&[]),
            Answer::Failed => None,
        }
    }

    /// The TXT records of a kind, of which a name should have one.
    pub(super) fn place(&self, name: &str, is_kind: impl Fn(&[u8]) -> bool) -> Found {
        let Some(data) = self.data(name, QuestionKind::Txt) else { return Found::Unanswered };
        let of_kind = data.iter().filter_map(Data::as_text).filter(|text| is_kind(text));
        let mut texts: Vec<Vec<u8>> = of_kind.map(<[u8]>::to_vec).collect();
        match texts.len() {
            0 => Found::Nothing,
            1 => Found::One(texts.remove(0)),
            _ => Found::Several(texts),
        }
    }

    /// Whether DNS says that there is nothing at or below the name (RFC 8020).
    pub(super) fn is_nonexistent(&self) -> bool {
        let kinds = [QuestionKind::Mx, QuestionKind::Txt];
        kinds.into_iter().all(|kind| *self.answer(self.domain.as_str(), kind) == Answer::NxDomain)
    }

    /// What DNS did not answer, in words, for a finding.
    pub(super) fn unanswered(&self) -> Vec<String> {
        let failed = self.answers.iter().filter(|(_, answer)| **answer == Answer::Failed);
        let failed = failed.map(|((name, kind), _)| format!("{} of {name}", record_type(*kind)));
        let policies = self.spf_cost.faults.iter().filter(|fault| fault.kind == PolicyFaultKind::Unanswered);
        let mut named: Vec<String> = failed.chain(policies.map(|fault| format!("TXT of {}", fault.domain))).collect();
        let more = named.len().saturating_sub(MAX_NAMED);
        named.truncate(MAX_NAMED);
        if 0 < more {
            named.push(format!("{more} more"));
        }
        named
    }
}

pub(super) fn key_name(selector: &str, domain: &str) -> String {
    format!("{selector}._domainkey.{domain}")
}

/// Without those that DNS cannot be asked.
fn questions(asked: impl Iterator<Item = (String, QuestionKind)>) -> Vec<Question> {
    asked.filter(|(name, _)| is_nameable(name)).map(|(name, kind)| Question { name, kind }).collect()
}

fn record_type(kind: QuestionKind) -> String {
    format!("{kind:?}").to_ascii_uppercase()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Answers from lines of name, type and data. A name that is neither here nor above one here does not exist; `failure`
    /// as data is one, and `*` as type is any.
    pub(in crate::posture) fn recorded(domain: &str, zone: &str) -> Recorded {
        let mut recorded = Recorded::new(Domain::parse(domain).expect(domain));
        for round in [Recorded::first_questions, Recorded::further_questions] {
            for question in round(&recorded) {
                let answer = answer(zone, &question);
                recorded.note(question, answer);
            }
        }
        let cost = crate::spf::cost(|question| std::future::ready(answer(zone, &question)), domain);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        recorded.spf_cost = runtime.block_on(cost);
        recorded
    }

    fn answer(zone: &str, question: &Question) -> Answer {
        let lines = zone.lines().map(|line| line.trim().splitn(3, ' ').collect::<Vec<_>>());
        let lines: Vec<Vec<&str>> = lines.filter(|line| line.len() == 3).collect();
        let is_kind = |line: &&Vec<&str>| line[1] == "*" || line[1] == record_type(question.kind);
        let found: Vec<&str> =
            lines.iter().filter(|line| line[0] == question.name).filter(is_kind).map(|line| line[2]).collect();
        let below = format!(".{}", question.name);
        let exists = lines.iter().any(|line| line[0] == question.name || line[0].ends_with(&below));
        match found.as_slice() {
            ["failure"] => Answer::Failed,
            [] if exists => Answer::NoRecords,
            [] => Answer::NxDomain,
            texts => Answer::Records(texts.iter().map(|text| data(question.kind, text)).collect()),
        }
    }

    fn data(kind: QuestionKind, text: &str) -> Data {
        match (kind, text.split_once(' ')) {
            (QuestionKind::Txt, _) => Data::Text(text.as_bytes().to_vec()),
            (QuestionKind::Mx, Some((preference, name))) => Data::MailHost {
                preference: preference.parse().expect("a number"),
                name: name.trim_end_matches('.').to_owned(),
            },
            (QuestionKind::A | QuestionKind::Aaaa, _) => Data::Address(text.parse().expect("an address")),
            _ => Data::Other,
        }
    }

    #[test]
    fn a_domain_costs_no_more_than_a_hundred_questions() {
        assert_eq!(MAX_QUESTIONS, 100);
        let deep = "a.b.c.d.e.f.g.h.i.j.example.com";
        let hosts: String = (0..40).map(|n| format!("{deep} MX 10 mx{n}.example.net\n")).collect();
        let rua: Vec<String> = (0..40).map(|n| format!("mailto:a@r{n}.example.org")).collect();
        let explained = format!("{deep} TXT v=spf1 -all exp=why.example");
        let zone = format!("{hosts}{explained}\n_dmarc.{deep} TXT v=DMARC1; p=none; rua={}", rua.join(","));
        let recorded = recorded(deep, &zone);
        let asked = recorded.first_questions().len() + recorded.further_questions().len();
        assert_eq!(asked + MAX_COST_QUESTIONS, MAX_QUESTIONS);
    }

    #[test]
    fn what_was_not_answered_is_named_up_to_a_point() {
        assert_eq!(recorded("x.example", "").unanswered(), [""; 0]);
        let some = recorded("x.example", "x.example MX failure\n_dmarc.x.example TXT failure");
        assert_eq!(some.unanswered(), ["TXT of _dmarc.x.example", "MX of x.example"]);
        let all: String = SELECTORS.map(|selector| format!("{selector}._domainkey.x.example TXT failure\n")).concat();
        assert_eq!(recorded("x.example", &all).unanswered().last().map(String::as_str), Some("20 more"));
    }

    #[test]
    fn names_that_are_too_long_are_not_asked_for_and_hold_nothing() {
        let long = [&"a".repeat(60); 4].map(String::as_str).join(".");
        let recorded = recorded(&long, "");
        assert!(recorded.first_questions().iter().all(|question| question.name.len() <= 253));
        assert_eq!(recorded.place(&key_name("protonmail3", &long), |_| true), Found::Nothing);
    }
}
