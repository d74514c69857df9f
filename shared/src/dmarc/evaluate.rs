//! Policy discovery, identifier alignment and the result (RFC 9989 §4.10.1, §4.10.2, §5.3).

use super::{
    identifier::{Certainty, Identifier, identifiers},
    policy::{Assessment, Standing},
    record::{Alignment, Record},
    tree_walk::{Published, TreeWalks, Unanswered, organizational_domain},
};
use crate::{
    authentication::{DkimResult, Dmarc, DmarcResult},
    spf::{Answer, Question, QuestionKind, SpfResult, ask, is_at_or_under, is_nameable},
};

const DOES_NOT_APPLY: Dmarc = Dmarc { result: DmarcResult::None, policy: None };

/// Whether the author domain is aligned with what SPF or DKIM authenticated, and what its owner asks for.
///
/// All domains are lower-case A-labels. `spf` holds the domain of the envelope sender (of HELO for the null sender),
/// `dkim` the `d=` of each signature. A domain of one label has no policy.
///
/// Asks one question when the author domain has a record and is itself what was authenticated, and usually as many as it
/// has labels; at most 86, one after another: 8 for the author domain, one for whether it exists, and 7 for each of 11
/// identifiers (the top-level domain is known by then). The deadline is the caller's; when it expires, the result is
/// temperror.
pub async fn evaluate<L, F>(
    lookup: L,
    author_domain: &str,
    spf: Option<(SpfResult, &str)>,
    dkim: &[(DkimResult, &str)],
) -> Dmarc
where
    L: Fn(Question) -> F,
    F: Future<Output = Answer>,
{
    if !author_domain.contains('.') || !is_nameable(author_domain) {
        return DOES_NOT_APPLY;
    }
    let identifiers = identifiers(author_domain, spf, dkim);
    let mut evaluation = Evaluation { lookup: &lookup, walks: TreeWalks::new(&lookup), author_domain };
    match evaluation.applicable().await {
        Ok(Some(applicable)) => evaluation.judge(&applicable, &identifiers).await,
        Ok(None) => DOES_NOT_APPLY,
        Err(Unanswered) => without_policy(),
    }
}

struct Evaluation<'e, L> {
    lookup: &'e L,
    walks: TreeWalks<'e, L>,
    author_domain: &'e str,
}

/// The record that applies to the author domain.
struct Applicable {
    record: Record,
    assessment: Assessment,
    place: Place,
}

/// Where a record was found.
#[derive(Clone, Copy)]
enum Place {
    AuthorDomain,
    Above,
}

/// What came of all identifiers together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Aligned {
    Yes,
    No,
    Undecided,
}

impl<L, F> Evaluation<'_, L>
where
    L: Fn(Question) -> F,
    F: Future<Output = Answer>,
{
    /// `None` when DMARC does not apply to the message.
    async fn applicable(&mut self) -> Result<Option<Applicable>, Unanswered> {
        let (place, record) = match self.walks.published_at(self.author_domain).await? {
            Published::One(record) => (Place::AuthorDomain, Some(record)),
            // Its owner meant to state a policy of its own: which one nobody knows, but not that of a domain above.
            Published::Several => return Ok(None),
            Published::Nothing => (Place::Above, self.record_above().await?),
        };
        let applicable = |record: Record| Some(Applicable { record, assessment: record.assessment?, place });
        Ok(record.and_then(applicable))
    }

    /// That of the organizational domain, otherwise that of the public suffix domain.
    async fn record_above(&mut self) -> Result<Option<Record>, Unanswered> {
        let found = self.walks.walk(self.author_domain).await?;
        let organization = organizational_domain(self.author_domain, &found);
        let of_organization = found.iter().find(|(name, _)| *name == organization);
        Ok(of_organization.or(found.last()).map(|(_, record)| *record))
    }

    async fn judge(&mut self, applicable: &Applicable, identifiers: &[Identifier<'_>]) -> Dmarc {
        let standing = self.standing(applicable).await;
        let result = match (self.align(applicable.record, identifiers).await, standing) {
            (Aligned::Yes, _) => DmarcResult::Pass,
            (Aligned::No, Ok(_)) => DmarcResult::Fail,
            (Aligned::Undecided, _) | (_, Err(Unanswered)) => DmarcResult::TempError,
        };
        let policy = applicable.assessment.applied_to(standing.unwrap_or(Standing::Subdomain));
        Dmarc { result, policy: Some(policy) }
    }

    /// A domain does not exist when DNS says so whatever the type (RFC 9989 §3.2.13, RFC 8020).
    async fn standing(&self, applicable: &Applicable) -> Result<Standing, Unanswered> {
        match applicable.place {
            Place::AuthorDomain => Ok(Standing::Own),
            Place::Above if !applicable.assessment.depends_on_existence() => Ok(Standing::Subdomain),
            Place::Above => match ask(self.lookup, self.author_domain, QuestionKind::A).await {
                Answer::NxDomain => Ok(Standing::Nonexistent),
                Answer::Records(_) | Answer::NoRecords => Ok(Standing::Subdomain),
                Answer::Failed => Err(Unanswered),
            },
        }
    }

    async fn align(&mut self, record: Record, identifiers: &[Identifier<'_>]) -> Aligned {
        let mut so_far = Aligned::No;
        for &identifier in identifiers {
            // Nothing that is left can pass.
            if so_far == Aligned::Undecided && identifier.certainty == Certainty::TempError {
                break;
            }
            match (self.is_aligned(identifier, record).await, identifier.certainty) {
                (Ok(true), Certainty::Passed) => return Aligned::Yes,
                (Ok(true), Certainty::TempError) | (Err(Unanswered), _) => so_far = Aligned::Undecided,
                (Ok(false), _) => {}
            }
        }
        so_far
    }

    async fn is_aligned(&mut self, identifier: Identifier<'_>, record: Record) -> Result<bool, Unanswered> {
        let domain = identifier.domain;
        if domain == self.author_domain {
            return Ok(true);
        }
        if identifier.alignment(record) == Alignment::Strict || !may_share_organization(domain, self.author_domain) {
            return Ok(false);
        }
        let organization = self.organization_of(self.author_domain).await?;
        Ok(is_at_or_under(domain, organization) && self.organization_of(domain).await? == organization)
    }

    async fn organization_of<'d>(&mut self, domain: &'d str) -> Result<&'d str, Unanswered> {
        Ok(organizational_domain(domain, &self.walks.walk(domain).await?))
    }
}

/// The policy could not be looked up: DMARC can neither pass nor fail (RFC 9989 §5.3.6).
fn without_policy() -> Dmarc {
    Dmarc { result: DmarcResult::TempError, policy: None }
}

/// An organizational domain that two domains share ends in the top-level domain of both.
fn may_share_organization(domain: &str, author_domain: &str) -> bool {
    let top_level = |name: &str| name.rsplit('.').next().map(str::to_owned);
    is_nameable(domain) && top_level(domain) == top_level(author_domain)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::{authentication::DmarcPolicy, dmarc::MAX_DKIM_IDENTIFIERS, spf::Data};
    use DmarcPolicy::{None as Monitor, Quarantine, Reject};

    /// Lines of name, type and data; `failure` as data is one. Remembers what it was asked.
    struct Zone {
        lines: String,
        asked: Mutex<Vec<String>>,
    }

    type Case<'c> = (&'c str, &'c str, &'c [(&'c str, &'c str)], DmarcResult, Option<DmarcPolicy>);

    impl Zone {
        fn new(lines: &str) -> Self {
            Self { lines: lines.to_owned(), asked: Mutex::default() }
        }

        async fn answer(&self, question: Question) -> Answer {
            tokio::task::yield_now().await;
            let Question { name, kind } = &question;
            let lines = self.lines.lines().map(|line| line.trim_start().splitn(3, ' ').collect::<Vec<_>>());
            let node: Vec<Vec<&str>> = lines.filter(|line| line[0] == name).collect();
            let found = node.iter().filter(|line| line[1] == format!("{kind:?}").to_ascii_uppercase());
            let texts: Vec<&str> = found.map(|line| line[2]).collect();
            self.asked.lock().expect("no test panics here").push(format!("{name} {kind:?}"));
            match texts.as_slice() {
                ["failure"] => Answer::Failed,
                [] if node.is_empty() => Answer::NxDomain,
                [] => Answer::NoRecords,
                _ => Answer::Records(texts.iter().map(|text| Data::Text(text.as_bytes().to_vec())).collect()),
            }
        }

        /// Results such as `spf=pass`, each with its domain.
        async fn judge(&self, author_domain: &str, results: &[(&str, &str)]) -> Dmarc {
            let (mut spf, mut dkim) = (None, Vec::new());
            for (result, domain) in results {
                match *result {
                    "spf=pass" => spf = Some((SpfResult::Pass, *domain)),
                    "spf=temperror" => spf = Some((SpfResult::TempError, *domain)),
                    "spf=softfail" => spf = Some((SpfResult::SoftFail, *domain)),
                    "dkim=pass" => dkim.push((DkimResult::Pass, *domain)),
                    "dkim=temperror" => dkim.push((DkimResult::TempError, *domain)),
                    "dkim=fail" => dkim.push((DkimResult::Fail, *domain)),
                    other => panic!("{other}"),
                }
            }
            evaluate(|question| self.answer(question), author_domain, spf, &dkim).await
        }

        async fn questions(self, author_domain: &str, results: &[(&str, &str)]) -> Vec<String> {
            self.judge(author_domain, results).await;
            self.asked.into_inner().expect("no test panics here")
        }
    }

    async fn judged(cases: &[Case<'_>]) {
        for (zone, author_domain, results, result, policy) in cases {
            let due = Dmarc { result: *result, policy: *policy };
            assert_eq!(Zone::new(zone).judge(author_domain, results).await, due, "{zone} {author_domain} {results:?}");
        }
    }

    const PASS: DmarcResult = DmarcResult::Pass;
    const FAIL: DmarcResult = DmarcResult::Fail;
    const NONE: DmarcResult = DmarcResult::None;
    const TEMP: DmarcResult = DmarcResult::TempError;

    #[tokio::test]
    async fn dmarc_applies_where_a_record_says_so() {
        let own = "_dmarc.x.example TXT v=DMARC1; p=reject";
        judged(&[
            ("", "x.example", &[("dkim=pass", "x.example")], NONE, None),
            (own, "x.example", &[], FAIL, Some(Reject)),
            (own, "x.example", &[("dkim=pass", "x.example")], PASS, Some(Reject)),
            ("_dmarc.example TXT v=DMARC1; p=reject", "example", &[], NONE, None),
            ("_dmarc.x.example TXT v=spf1 -all", "x.example", &[], NONE, None),
            ("_dmarc.x.example TXT v=dmarc1; p=reject", "x.example", &[], NONE, None),
            ("x.example TXT v=DMARC1; p=reject", "x.example", &[], NONE, None),
            ("_dmarc.x.example TXT v=DMARC1; adkim=s", "x.example", &[], NONE, None),
            ("_dmarc.x.example TXT v=DMARC1; adkim=s", "a.x.example", &[], NONE, None),
            ("_dmarc.x.example TXT v=DMARC1; rua=mailto:a@x.example", "x.example", &[], FAIL, Some(Monitor)),
            ("_dmarc.x.example TXT v=DMARC1; p=reject; p=none", "x.example", &[], NONE, None),
            ("_dmarc.x.example TXT v=DMARC1; p=reject; t=y", "x.example", &[], FAIL, Some(Quarantine)),
            ("_dmarc.x.example TXT v=DMARC1; p=quarantine; t=y", "x.example", &[], FAIL, Some(Monitor)),
            ("_dmarc.x.example TXT v=DMARC1; p=reject; sp=none; np=none", "x.example", &[], FAIL, Some(Reject)),
        ])
        .await;
    }

    #[tokio::test]
    async fn of_several_records_at_a_name_none_counts() {
        let twice = "_dmarc.a.x.example TXT v=DMARC1; p=reject\n_dmarc.a.x.example TXT v=DMARC1; p=reject";
        let with_other = "_dmarc.x.example TXT v=DMARC1; p=reject\n_dmarc.x.example TXT v=DKIM1; p=";
        judged(&[
            (twice, "a.x.example", &[("dkim=pass", "a.x.example")], NONE, None),
            (&format!("{twice}\n_dmarc.x.example TXT v=DMARC1; p=reject"), "a.x.example", &[], NONE, None),
            (
                &format!("{twice}\n_dmarc.x.example TXT v=DMARC1; p=quarantine"),
                "b.a.x.example",
                &[],
                FAIL,
                Some(Quarantine),
            ),
            (with_other, "x.example", &[], FAIL, Some(Reject)),
        ])
        .await;
    }

    #[tokio::test]
    async fn a_subdomain_without_a_record_has_the_policy_for_subdomains() {
        let zone =
            |tags: &str| format!("_dmarc.x.example TXT v=DMARC1; {tags}\na.x.example A 192.0.2.1\nb.x.example TXT x");
        let differing = zone("p=reject; sp=none; np=quarantine");
        judged(&[
            (&zone("p=reject"), "a.x.example", &[], FAIL, Some(Reject)),
            (&zone("p=reject; sp=none"), "gone.x.example", &[], FAIL, Some(Monitor)),
            (&zone("p=none; np=reject"), "a.x.example", &[], FAIL, Some(Monitor)),
            (&zone("p=none; np=reject"), "gone.x.example", &[], FAIL, Some(Reject)),
            (&zone("p=none; np=reject; t=y"), "gone.x.example", &[], FAIL, Some(Quarantine)),
            (&differing, "a.x.example", &[], FAIL, Some(Monitor)),
            (&differing, "b.x.example", &[], FAIL, Some(Monitor)),
            (&differing, "gone.x.example", &[], FAIL, Some(Quarantine)),
            (&differing, "gone.x.example", &[("dkim=pass", "x.example")], PASS, Some(Quarantine)),
            (&format!("{differing}\ngone.x.example A failure"), "gone.x.example", &[], TEMP, Some(Monitor)),
            (
                &format!("{differing}\ngone.x.example A failure"),
                "gone.x.example",
                &[("dkim=pass", "x.example")],
                PASS,
                Some(Monitor),
            ),
        ])
        .await;
    }

    #[tokio::test]
    async fn the_record_of_the_organizational_domain_goes_before_that_of_the_public_suffix_and_what_lies_between() {
        let suffix = "_dmarc.bank.example TXT v=DMARC1; p=reject; psd=y";
        let both = format!("{suffix}\n_dmarc.giant.bank.example TXT v=DMARC1; p=quarantine");
        let three = "_dmarc.m.x.example TXT v=DMARC1; p=none\n_dmarc.x.example TXT v=DMARC1; p=reject";
        let cut = "_dmarc.m.x.example TXT v=DMARC1; p=none; psd=n\n_dmarc.x.example TXT v=DMARC1; p=reject";
        let off_path = format!("{suffix}\n_dmarc.b.giant.bank.example TXT v=DMARC1; p=none");
        judged(&[
            (&both, "giant.bank.example", &[], FAIL, Some(Quarantine)),
            (&both, "a.giant.bank.example", &[], FAIL, Some(Quarantine)),
            (&both, "other.bank.example", &[], FAIL, Some(Reject)),
            (&both, "bank.example", &[], FAIL, Some(Reject)),
            (
                &format!("{both}\n_dmarc.example TXT v=DMARC1; p=none"),
                "a.giant.bank.example",
                &[],
                FAIL,
                Some(Quarantine),
            ),
            (&off_path, "a.b.giant.bank.example", &[], FAIL, Some(Reject)),
            (three, "a.m.x.example", &[], FAIL, Some(Reject)),
            (three, "m.x.example", &[], FAIL, Some(Monitor)),
            (cut, "a.m.x.example", &[], FAIL, Some(Monitor)),
            (cut, "a.x.example", &[], FAIL, Some(Reject)),
        ])
        .await;
    }

    #[tokio::test]
    async fn relaxed_alignment_is_the_same_organization_and_strict_the_same_domain() {
        let relaxed = "_dmarc.x.example TXT v=DMARC1; p=reject";
        let strict = "_dmarc.x.example TXT v=DMARC1; p=reject; adkim=s";
        let reject = Some(Reject);
        judged(&[
            (relaxed, "x.example", &[("dkim=pass", "a.x.example")], PASS, reject),
            (relaxed, "x.example", &[("spf=pass", "a.x.example")], PASS, reject),
            (relaxed, "a.x.example", &[("dkim=pass", "b.c.x.example")], PASS, reject),
            (relaxed, "a.x.example", &[("dkim=pass", "x.example")], PASS, reject),
            (relaxed, "x.example", &[("dkim=pass", "badx.example")], FAIL, reject),
            (relaxed, "x.example", &[("dkim=pass", "x.example.evil.example")], FAIL, reject),
            (relaxed, "x.example", &[("dkim=pass", "example")], FAIL, reject),
            (relaxed, "x.example", &[("dkim=pass", "x.invalid"), ("spf=pass", "y.example")], FAIL, reject),
            (relaxed, "x.example", &[("dkim=fail", "x.example"), ("spf=softfail", "x.example")], FAIL, reject),
            (relaxed, "x.example", &[("dkim=fail", "x.example"), ("dkim=pass", "x.example")], PASS, reject),
            (strict, "x.example", &[("dkim=pass", "a.x.example")], FAIL, reject),
            (strict, "x.example", &[("dkim=pass", "x.example")], PASS, reject),
            (strict, "x.example", &[("spf=pass", "a.x.example")], PASS, reject),
            (strict, "a.x.example", &[("dkim=pass", "x.example")], FAIL, reject),
            (strict, "a.x.example", &[("dkim=pass", "a.x.example")], PASS, reject),
            (
                "_dmarc.x.example TXT v=DMARC1; p=reject; aspf=s",
                "x.example",
                &[("spf=pass", "a.x.example")],
                FAIL,
                reject,
            ),
        ])
        .await;
    }

    #[tokio::test]
    async fn what_is_on_either_side_of_a_psd_tag_is_not_aligned() {
        let suffix = "_dmarc.bank.example TXT v=DMARC1; p=reject; psd=y";
        let cut = "_dmarc.x.example TXT v=DMARC1; p=reject\n_dmarc.m.x.example TXT v=DMARC1; p=reject; psd=n";
        let reject = Some(Reject);
        judged(&[
            (suffix, "giant.bank.example", &[("dkim=pass", "mega.bank.example")], FAIL, reject),
            (suffix, "giant.bank.example", &[("dkim=pass", "bank.example")], FAIL, reject),
            (suffix, "giant.bank.example", &[("dkim=pass", "a.giant.bank.example")], PASS, reject),
            (suffix, "a.giant.bank.example", &[("spf=pass", "b.giant.bank.example")], PASS, reject),
            (suffix, "bank.example", &[("dkim=pass", "giant.bank.example")], FAIL, reject),
            (suffix, "bank.example", &[("dkim=pass", "bank.example")], PASS, reject),
            (cut, "x.example", &[("dkim=pass", "m.x.example")], FAIL, reject),
            (cut, "m.x.example", &[("dkim=pass", "x.example")], FAIL, reject),
            (cut, "a.m.x.example", &[("dkim=pass", "b.m.x.example")], PASS, reject),
            (cut, "a.m.x.example", &[("dkim=pass", "b.x.example")], FAIL, reject),
        ])
        .await;
    }

    #[tokio::test]
    async fn a_temporary_error_counts_where_an_answer_could_have_changed_the_result() {
        let own = "_dmarc.x.example TXT v=DMARC1; p=reject";
        let top = format!("{own}\n_dmarc.example TXT failure");
        let side = format!("{own}\n_dmarc.s.x.example TXT failure");
        let reject = Some(Reject);
        judged(&[
            (own, "x.example", &[("dkim=temperror", "x.example")], TEMP, reject),
            (own, "x.example", &[("spf=temperror", "a.x.example")], TEMP, reject),
            (own, "x.example", &[("dkim=temperror", "y.example"), ("spf=temperror", "y.invalid")], FAIL, reject),
            (own, "x.example", &[("dkim=temperror", "x.example"), ("spf=pass", "a.x.example")], PASS, reject),
            (own, "x.example", &[("spf=temperror", "x.example"), ("dkim=pass", "y.example")], TEMP, reject),
            ("_dmarc.x.example TXT failure", "x.example", &[], TEMP, None),
            ("_dmarc.x.example TXT failure", "x.example", &[("dkim=pass", "x.example")], TEMP, None),
            ("_dmarc.x.example TXT failure", "x.example", &[("dkim=temperror", "x.example")], TEMP, None),
            ("_dmarc.x.example TXT failure", "x.example", &[("dkim=pass", "a.x.example")], TEMP, None),
            ("_dmarc.x.example TXT failure", "a.x.example", &[], TEMP, None),
            (&top, "x.example", &[("dkim=pass", "x.example")], PASS, reject),
            (&top, "x.example", &[("dkim=pass", "a.x.example")], TEMP, reject),
            (&top, "x.example", &[("dkim=pass", "x.invalid")], FAIL, reject),
            (&top, "x.example", &[], FAIL, reject),
            (&side, "x.example", &[("dkim=pass", "s.x.example")], TEMP, reject),
            (&side, "x.example", &[("dkim=pass", "s.x.example"), ("dkim=pass", "t.x.example")], PASS, reject),
        ])
        .await;
    }

    #[tokio::test]
    async fn what_no_domain_can_be_is_not_aligned() {
        let zone = "_dmarc.x.example TXT v=DMARC1; p=reject";
        let long_label = format!("{}.x.example", "a".repeat(64));
        let long_name = format!("{}x.example", "a.".repeat(130));
        for domain in ["", ".", "x.example.", ".x.example", "a..x.example", "\u{fc}.x.example", &long_label, &long_name]
        {
            let zone = Zone::new(zone);
            let due = Dmarc { result: FAIL, policy: Some(Reject) };
            assert_eq!(
                zone.judge("x.example", &[("dkim=pass", domain), ("spf=pass", domain)]).await,
                due,
                "{domain:?}"
            );
            assert_eq!(zone.asked.into_inner().expect("no test panics here"), ["_dmarc.x.example Txt"]);
        }
        for author_domain in ["", ".", "example", "x..example", &long_name] {
            assert_eq!(Zone::new(zone).questions(author_domain, &[]).await, Vec::<String>::new(), "{author_domain:?}");
        }
    }

    #[tokio::test]
    async fn more_signatures_than_the_limit_are_tried_in_order_of_what_they_can_prove() {
        let zone = "_dmarc.x.example TXT v=DMARC1; p=reject";
        let useless = |count| vec![("dkim=temperror", "y.example"); count];
        let strangers = |count| vec![("dkim=pass", "y.example"); count];
        for (before, result) in [
            (useless(200), PASS),
            (vec![("dkim=fail", "x.example"); 200], PASS),
            (strangers(MAX_DKIM_IDENTIFIERS - 1), PASS),
            (strangers(MAX_DKIM_IDENTIFIERS), FAIL),
        ] {
            let results = [before, vec![("dkim=pass", "a.x.example")]].concat();
            assert_eq!(Zone::new(zone).judge("x.example", &results).await.result, result, "{}", results.len());
        }
        let results = [strangers(200), vec![("dkim=pass", "x.example")]].concat();
        assert_eq!(Zone::new(zone).judge("x.example", &results).await.result, PASS);
    }

    #[tokio::test]
    async fn a_walk_asks_in_the_order_of_the_rfc() {
        let zone = Zone::new("_dmarc.example.com TXT v=DMARC1; p=none");
        let due = [
            "_dmarc.a.b.c.d.e.f.g.h.i.j.k.example.com Txt",
            "_dmarc.g.h.i.j.k.example.com Txt",
            "_dmarc.h.i.j.k.example.com Txt",
            "_dmarc.i.j.k.example.com Txt",
            "_dmarc.j.k.example.com Txt",
            "_dmarc.k.example.com Txt",
            "_dmarc.example.com Txt",
            "_dmarc.com Txt",
        ];
        assert_eq!(zone.questions("a.b.c.d.e.f.g.h.i.j.k.example.com", &[]).await, due);
    }

    #[tokio::test]
    async fn no_question_is_asked_that_the_result_does_not_need_and_none_twice() {
        let own = "_dmarc.x.example TXT v=DMARC1; p=reject";
        let own_and_np = "_dmarc.x.example TXT v=DMARC1; p=reject; np=none";
        for (zone, author_domain, results, due) in [
            (own, "x.example", vec![("spf=pass", "x.example")], vec!["_dmarc.x.example Txt"]),
            (
                own,
                "x.example",
                vec![("dkim=pass", "esp.invalid"), ("dkim=pass", "x.example")],
                vec!["_dmarc.x.example Txt"],
            ),
            (own, "x.example", vec![("dkim=pass", "esp.example")], vec!["_dmarc.x.example Txt", "_dmarc.example Txt"]),
            (
                own,
                "x.example",
                vec![("spf=pass", "a.x.example"), ("dkim=pass", "a.x.example")],
                vec!["_dmarc.x.example Txt", "_dmarc.example Txt", "_dmarc.a.x.example Txt"],
            ),
            (
                own,
                "x.example",
                vec![("dkim=temperror", "x.example"), ("dkim=temperror", "a.x.example")],
                vec!["_dmarc.x.example Txt"],
            ),
            (
                own_and_np,
                "a.x.example",
                vec![("spf=pass", "x.example")],
                vec!["_dmarc.a.x.example Txt", "_dmarc.x.example Txt", "_dmarc.example Txt", "a.x.example A"],
            ),
        ] {
            assert_eq!(Zone::new(zone).questions(author_domain, &results).await, due, "{author_domain} {results:?}");
        }
    }

    #[tokio::test]
    async fn an_evaluation_asks_at_most_86_questions() {
        let deep: Vec<String> = (0..11).map(|i| format!("a.b.c.d.e.f.g.h.s{i}.example")).collect();
        let cuts = (0..11).map(|i| format!("_dmarc.s{i}.example TXT v=DMARC1; p=reject; psd=n"));
        let lines: Vec<String> = cuts.chain(["_dmarc.example TXT v=DMARC1; p=reject; np=none".to_owned()]).collect();
        let mut results: Vec<(&str, &str)> = deep.iter().map(|domain| ("dkim=pass", domain.as_str())).collect();
        results[0].0 = "spf=pass";
        let mut asked = Zone::new(&lines.join("\n")).questions("a.b.c.d.e.f.g.h.x.example", &results).await;
        assert_eq!(asked.len(), 86);
        asked.sort();
        asked.dedup();
        assert_eq!(asked.len(), 86);
    }

    #[test]
    fn an_evaluation_can_be_sent_to_another_thread() {
        fn is_send(_: &impl Send) {}
        let zone = Zone::new("");
        is_send(&evaluate(|question| zone.answer(question), "x.example", None, &[]));
    }
}
