//! `check_host` (RFC 7208 §4) and its limits.

use std::{mem, vec};

use super::{
    SpfCheck, SpfResult,
    client_name::{ClientNames, Learnt, address_kind},
    explanation::{expand_explanation, parse_explanation},
    macro_string::{MacroString, Values},
    name::{fitted, is_at_or_under, without_root_dot},
    question::{Answer, Data, Question, QuestionKind, ask},
    record::{Directive, Mechanism, PrefixLengths, Qualifier, Record, is_spf},
    session::{Identity, Session},
};

/// Terms that may cause DNS queries in one evaluation, over all records together (RFC 7208 §4.6.4).
pub const MAX_LOOKUPS: usize = 10;

/// Of these, how many may find nothing (RFC 7208 §4.6.4).
pub const MAX_VOID_LOOKUPS: usize = 2;

/// Hosts of one `mx` mechanism; more are a permerror (RFC 7208 §4.6.4).
pub(super) const MAX_MX_HOSTS: usize = 10;

/// Whether the client may use the identity: the envelope sender, or HELO when there is none.
///
/// Asks at most 123 questions, one after another: one for the policy, 11 for each of 10 terms (`mx` and its hosts), 11
/// for the names of the client, one for the explanation. The deadline is the caller's (at least 20 s by RFC 7208
/// §4.6.4); when it expires, the result is temperror.
// A closure and not a trait, because DNS has one implementation. `Fn` and not `AsyncFn`, and a question that borrows
// nothing: with either, the compiler (1.95) refuses to see that the future is `Send` when the closure borrows. Nothing
// is boxed for the same reason: policies that include others are kept on a stack instead of calling each other.
pub async fn check_host<L, F>(lookup: L, session: &Session<'_>) -> SpfCheck
where
    L: Fn(Question) -> F,
    F: Future<Output = Answer>,
{
    let identity = Identity::of(session);
    let mut evaluation = Evaluation::new(&lookup, &identity);
    let decision = evaluation.decide().await;
    let explanation = match &decision {
        Ok(Some(Decision { qualifier: Qualifier::Fail, policy })) => evaluation.explain(policy).await,
        _ => None,
    };
    SpfCheck {
        result: result(&decision),
        domain: identity.domain.to_ascii_lowercase(),
        explanation,
        lookups: evaluation.lookups,
        void_lookups: evaluation.void_lookups,
    }
}

struct Evaluation<'e, L> {
    lookup: &'e L,
    identity: &'e Identity,
    client_names: ClientNames<'e, L>,
    lookups: usize,
    void_lookups: usize,
}

/// A record under evaluation.
struct Policy {
    domain: String,
    untried: vec::IntoIter<Directive>,
    redirect: Option<MacroString>,
    explanation: Option<MacroString>,
}

/// What the identity's policy says, or the one that it redirects to.
struct Decision {
    qualifier: Qualifier,
    policy: Policy,
}

/// Why there is no decision.
enum Stop {
    TempError,
    PermError,
}

/// How far a policy gets without another. A target is `None` when DNS cannot be asked for it.
enum Step {
    Decides(Qualifier),
    Includes(Qualifier, Option<String>),
    RedirectsTo(Option<String>),
}

impl<'e, L, F> Evaluation<'e, L>
where
    L: Fn(Question) -> F,
    F: Future<Output = Answer>,
{
    fn new(lookup: &'e L, identity: &'e Identity) -> Self {
        let client_names = ClientNames::new(lookup, identity.client_ip);
        Self { lookup, identity, client_names, lookups: 0, void_lookups: 0 }
    }

    /// `None` when the domain has no policy. Ends because inclusions and redirections count as lookups.
    async fn decide(&mut self) -> Result<Option<Decision>, Stop> {
        if !self.identity.is_checkable() {
            return Ok(None);
        }
        let answer = ask(self.lookup, &self.identity.domain, QuestionKind::Txt).await;
        let Some(mut policy) = Policy::find(&self.identity.domain, answer)? else { return Ok(None) };
        let mut includers = Vec::new();
        loop {
            match self.step(&mut policy).await? {
                Step::RedirectsTo(target) => policy = self.other_policy(target).await?,
                Step::Includes(qualifier, target) => {
                    let included = self.other_policy(target).await?;
                    includers.push((qualifier, mem::replace(&mut policy, included)));
                }
                // A pass is a match for the includer, which says what that means; anything else is no match (§5.2).
                Step::Decides(mut qualifier) => loop {
                    let Some(includer) = includers.pop() else { return Ok(Some(Decision { qualifier, policy })) };
                    let is_match = qualifier == Qualifier::Pass;
                    (qualifier, policy) = includer;
                    if !is_match {
                        break;
                    }
                },
            }
        }
    }

    /// Tries directives in their order until one matches or needs another policy.
    async fn step(&mut self, policy: &mut Policy) -> Result<Step, Stop> {
        let domain = &policy.domain;
        for Directive { qualifier, mechanism } in policy.untried.by_ref() {
            let is_match = match mechanism {
                Mechanism::All => true,
                Mechanism::Ip { network, prefix_lengths } => prefix_lengths.contain(network, self.identity.client_ip),
                Mechanism::A { target, prefix_lengths } => self.is_a(target.as_ref(), domain, prefix_lengths).await?,
                Mechanism::Mx { target, prefix_lengths } => self.is_mx(target.as_ref(), domain, prefix_lengths).await?,
                Mechanism::Ptr(target) => self.is_ptr(target.as_ref(), domain).await?,
                Mechanism::Exists(target) => self.exists(&target, domain).await?,
                Mechanism::Include(target) => {
                    return Ok(Step::Includes(qualifier, self.target(Some(&target), domain).await?));
                }
            };
            if is_match {
                return Ok(Step::Decides(qualifier));
            }
        }
        match policy.redirect.take() {
            Some(target) => Ok(Step::RedirectsTo(self.target(Some(&target), domain).await?)),
            None => Ok(Step::Decides(Qualifier::Neutral)),
        }
    }

    /// The policy of another domain, which has to exist (RFC 7208 §5.2, §6.1).
    async fn other_policy(&mut self, target: Option<String>) -> Result<Policy, Stop> {
        let domain = target.filter(|name| name.contains('.')).ok_or(Stop::PermError)?;
        let answer = self.ask(Some(&domain), QuestionKind::Txt).await?;
        Policy::find(&domain, answer)?.ok_or(Stop::PermError)
    }

    async fn is_a(
        &mut self,
        target: Option<&MacroString>,
        domain: &str,
        prefix_lengths: PrefixLengths,
    ) -> Result<bool, Stop> {
        let target = self.target(target, domain).await?;
        let answer = self.ask(target.as_deref(), address_kind(self.identity.client_ip)).await?;
        self.is_among(answer, prefix_lengths)
    }

    async fn is_mx(
        &mut self,
        target: Option<&MacroString>,
        domain: &str,
        prefix_lengths: PrefixLengths,
    ) -> Result<bool, Stop> {
        let target = self.target(target, domain).await?;
        let records = records(self.ask(target.as_deref(), QuestionKind::Mx).await?)?;
        if records.len() > MAX_MX_HOSTS {
            return Err(Stop::PermError);
        }
        for host in records.into_iter().filter_map(Data::name) {
            // Not a void lookup when there is none: the term found its MX records. Otherwise three hosts without
            // IPv6 would make every client with IPv6 a permerror.
            let answer = ask(self.lookup, without_root_dot(&host), address_kind(self.identity.client_ip)).await;
            if self.is_among(answer, prefix_lengths)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Failures of DNS are no match here, because the client's side may cause them (RFC 7208 §5.5).
    async fn is_ptr(&mut self, target: Option<&MacroString>, domain: &str) -> Result<bool, Stop> {
        let Some(target) = self.target(target, domain).await? else { return Ok(false) };
        self.learn_client_names().await?;
        let is_wanted = |name: &str| is_at_or_under(name, &target);
        Ok(self.client_names.first_confirmed(is_wanted).await.is_some())
    }

    /// An A record it is, whatever the client connects with (RFC 7208 §5.7).
    async fn exists(&mut self, target: &MacroString, domain: &str) -> Result<bool, Stop> {
        let target = self.target(Some(target), domain).await?;
        let addresses = records(self.ask(target.as_deref(), QuestionKind::A).await?)?;
        Ok(!addresses.is_empty())
    }

    fn is_among(&self, answer: Answer, prefix_lengths: PrefixLengths) -> Result<bool, Stop> {
        let mut networks = records(answer)?.into_iter().filter_map(Data::address);
        Ok(networks.any(|network| prefix_lengths.contain(network, self.identity.client_ip)))
    }

    /// Counts a term, and expands what it is about.
    async fn target(&mut self, target: Option<&MacroString>, domain: &str) -> Result<Option<String>, Stop> {
        self.count_lookup()?;
        let Some(target) = target else { return Ok(Some(domain.to_owned())) };
        if target.needs_validated_name() && !self.client_names.are_known() {
            // The macro counts like a ptr mechanism (RFC 7208 §4.6.4).
            self.count_lookup()?;
            self.learn_client_names().await?;
        }
        let client_name = self.client_name_for(target, domain).await;
        let expansion = target.expand(&self.values(domain, &client_name));
        Ok(fitted(&expansion).map(str::to_owned))
    }

    /// What the domain owner says of a fail. The limits are not for this (RFC 7208 §4.6.4, §6.2).
    async fn explain(&mut self, policy: &Policy) -> Option<String> {
        let (target, domain) = (policy.explanation.as_ref()?, policy.domain.as_str());
        let client_name = self.client_name_for(target, domain).await;
        let name = target.expand(&self.values(domain, &client_name));
        let answer = ask(self.lookup, fitted(&name)?, QuestionKind::Txt).await;
        let explanation = parse_explanation(answer.records()?)?;
        let client_name = self.client_name_for(&explanation, domain).await;
        expand_explanation(&explanation, &self.values(domain, &client_name))
    }

    /// What the macro `p` stands for in a text, if it is there.
    async fn client_name_for(&mut self, text: &MacroString, domain: &str) -> String {
        if !text.needs_validated_name() {
            return String::new();
        }
        self.client_names.learn().await;
        let closest = self.client_names.closest_to(domain).await;
        closest.unwrap_or_else(|| "unknown".to_owned())
    }

    fn values<'v>(&'v self, domain: &'v str, validated_name: &'v str) -> Values<'v> {
        Values { identity: self.identity, domain, validated_name }
    }

    async fn learn_client_names(&mut self) -> Result<(), Stop> {
        let learnt = self.client_names.learn().await;
        self.count_void(learnt == Learnt::Nothing)
    }

    /// Asks what a term is about.
    async fn ask(&mut self, name: Option<&str>, kind: QuestionKind) -> Result<Answer, Stop> {
        // Not a void lookup, because it is none.
        let Some(name) = name else { return Ok(Answer::NxDomain) };
        let answer = ask(self.lookup, name, kind).await;
        self.count_void(answer.is_void())?;
        Ok(answer)
    }

    fn count_lookup(&mut self) -> Result<(), Stop> {
        self.lookups += 1;
        if self.lookups > MAX_LOOKUPS { Err(Stop::PermError) } else { Ok(()) }
    }

    fn count_void(&mut self, is_void: bool) -> Result<(), Stop> {
        self.void_lookups += usize::from(is_void);
        if self.void_lookups > MAX_VOID_LOOKUPS { Err(Stop::PermError) } else { Ok(()) }
    }
}

impl Policy {
    /// The one SPF record among the TXT records of a domain, if any (RFC 7208 §4.4, §4.5).
    fn find(domain: &str, answer: Answer) -> Result<Option<Self>, Stop> {
        let texts = records(answer)?.into_iter().filter_map(Data::text);
        let mut policies = texts.filter(|text| is_spf(text));
        match (policies.next(), policies.next()) {
            (None, _) => Ok(None),
            (Some(_), Some(_)) => Err(Stop::PermError),
            (Some(text), None) => {
                let Record { directives, redirect, explanation } = Record::parse(&text).map_err(|_| Stop::PermError)?;
                Ok(Some(Self { domain: domain.to_owned(), untried: directives.into_iter(), redirect, explanation }))
            }
        }
    }
}

fn records(answer: Answer) -> Result<Vec<Data>, Stop> {
    answer.records().ok_or(Stop::TempError)
}

fn result(decision: &Result<Option<Decision>, Stop>) -> SpfResult {
    match decision {
        Ok(None) => SpfResult::None,
        Ok(Some(Decision { qualifier: Qualifier::Pass, .. })) => SpfResult::Pass,
        Ok(Some(Decision { qualifier: Qualifier::Fail, .. })) => SpfResult::Fail,
        Ok(Some(Decision { qualifier: Qualifier::SoftFail, .. })) => SpfResult::SoftFail,
        Ok(Some(Decision { qualifier: Qualifier::Neutral, .. })) => SpfResult::Neutral,
        Err(Stop::TempError) => SpfResult::TempError,
        Err(Stop::PermError) => SpfResult::PermError,
    }
}

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, sync::Mutex, time::SystemTime};

    use super::*;

    /// Lines of name, type and data; `failure` as data is one. Remembers what it was asked.
    struct Zone {
        lines: String,
        asked: Mutex<Vec<Question>>,
    }

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
            let records: Vec<Data> = found.map(|line| data(*kind, line[2])).collect();
            let answer = match records.as_slice() {
                [Data::Name(failure)] if failure == "failure" => Answer::Failed,
                [Data::Text(failure)] if failure == b"failure" => Answer::Failed,
                [] if node.is_empty() => Answer::NxDomain,
                [] => Answer::NoRecords,
                _ => Answer::Records(records),
            };
            self.asked.lock().expect("no test panics here").push(question);
            answer
        }

        async fn check(&self, client_ip: &str) -> SpfCheck {
            self.check_sender(client_ip, "ann@x.example").await
        }

        async fn check_sender(&self, client_ip: &str, mail_from: &str) -> SpfCheck {
            let session = Session {
                client_ip: client_ip.parse().expect("an address"),
                helo: "helo.example",
                mail_from,
                receiver: "",
                now: SystemTime::UNIX_EPOCH,
            };
            check_host(|question| self.answer(question), &session).await
        }
    }

    fn data(kind: QuestionKind, text: &str) -> Data {
        match (kind, text.parse::<IpAddr>()) {
            (QuestionKind::Txt, _) => Data::Text(text.as_bytes().to_vec()),
            (_, Ok(address)) => Data::Address(address),
            (_, Err(_)) => Data::Name(text.to_owned()),
        }
    }

    async fn check(zone: &str) -> SpfCheck {
        Zone::new(zone).check("192.0.2.1").await
    }

    async fn results(cases: &[(&str, SpfResult)]) {
        for (zone, expected) in cases {
            assert_eq!(check(zone).await.result, *expected, "{zone}");
        }
    }

    #[tokio::test]
    async fn the_first_match_decides_and_without_one_the_result_is_neutral() {
        results(&[
            ("", SpfResult::None),
            ("x.example TXT v=spf2 -all", SpfResult::None),
            ("x.example TXT v=spf1", SpfResult::Neutral),
            ("x.example TXT v=spf1 ip4:192.0.2.0/24 -all", SpfResult::Pass),
            ("x.example TXT v=spf1 ~ip4:192.0.2.1 +all", SpfResult::SoftFail),
            ("x.example TXT v=spf1 ip6:::ffff:192.0.2.1 -all", SpfResult::Fail),
            ("x.example TXT v=spf1 -all moo", SpfResult::PermError),
            ("x.example TXT v=spf1 -all\nx.example TXT v=spf1 -all", SpfResult::PermError),
            ("x.example TXT v=spf1 -all\nx.example TXT another matter", SpfResult::Fail),
            ("x.example TXT v=spf1 exists:%{l}.y.example -all\nann.y.example A 127.0.0.2", SpfResult::Pass),
            ("x.example TXT v=spf1 mx -all\nx.example MX y.example.\ny.example A 192.0.2.1", SpfResult::Pass),
        ])
        .await;
    }

    #[tokio::test]
    async fn an_inclusion_matches_when_the_included_policy_passes() {
        let included = |record: &str| format!("x.example TXT v=spf1 ?include:y.example -all\ny.example TXT {record}");
        for (record, expected) in [
            ("v=spf1 +all", SpfResult::Neutral),
            ("v=spf1 -all", SpfResult::Fail),
            ("v=spf1 ~all", SpfResult::Fail),
            ("v=spf1 ?all", SpfResult::Fail),
            ("v=spf1", SpfResult::Fail),
            ("v=spf1 redirect=z.example\nz.example TXT v=spf1 all", SpfResult::Neutral),
            ("v=spf1 -include:z.example all\nz.example TXT v=spf1 all", SpfResult::Fail),
            ("v=spf1 moo", SpfResult::PermError),
            ("no record", SpfResult::PermError),
            ("failure", SpfResult::TempError),
            ("v=spf1 include:%{d3r}", SpfResult::PermError),
        ] {
            assert_eq!(check(&included(record)).await.result, expected, "{record}");
        }
    }

    #[tokio::test]
    async fn a_failure_of_dns_is_temperror_except_about_the_client() {
        results(&[
            ("x.example TXT failure", SpfResult::TempError),
            ("x.example TXT v=spf1 a:y.example -all\ny.example A failure", SpfResult::TempError),
            ("x.example TXT v=spf1 mx -all\nx.example MX failure", SpfResult::TempError),
            ("x.example TXT v=spf1 mx -all\nx.example MX y.example\ny.example A failure", SpfResult::TempError),
            ("x.example TXT v=spf1 exists:y.example -all\ny.example A failure", SpfResult::TempError),
            ("x.example TXT v=spf1 ptr -all\n1.2.0.192.in-addr.arpa PTR failure", SpfResult::Fail),
            (
                "x.example TXT v=spf1 ptr -all\n1.2.0.192.in-addr.arpa PTR x.example\nx.example A failure",
                SpfResult::Fail,
            ),
        ])
        .await;
    }

    #[tokio::test]
    async fn ten_terms_may_ask_dns_and_two_may_find_nothing() {
        let known = "\nx.example A 203.0.113.1";
        for (record, expected) in [
            (format!("v=spf1 {}all{known}", "a ".repeat(10)), (SpfResult::Pass, 10, 0)),
            (format!("v=spf1 {}all{known}", "a ".repeat(11)), (SpfResult::PermError, 11, 0)),
            ("v=spf1 redirect=x.example".to_owned(), (SpfResult::PermError, 11, 0)),
            ("v=spf1 include:x.example".to_owned(), (SpfResult::PermError, 11, 0)),
            ("v=spf1 a:a.example exists:b.example all".to_owned(), (SpfResult::Pass, 2, 2)),
            ("v=spf1 a:a.example exists:b.example mx all".to_owned(), (SpfResult::PermError, 3, 3)),
            ("v=spf1 a:a.example ptr a:b..example all".to_owned(), (SpfResult::Pass, 3, 2)),
            ("v=spf1 exists:%{p}.a.example ptr all".to_owned(), (SpfResult::Pass, 3, 2)),
        ] {
            let check = check(&format!("x.example TXT {record}")).await;
            assert_eq!((check.result, check.lookups, check.void_lookups), expected, "{record}");
        }
    }

    #[tokio::test]
    async fn ten_mx_hosts_are_allowed_and_hosts_without_an_address_are_not_void_lookups() {
        for (hosts, expected) in [(10, (SpfResult::Fail, 1, 0)), (11, (SpfResult::PermError, 1, 0))] {
            let zone = "x.example TXT v=spf1 mx -all".to_owned() + &"\nx.example MX y.example".repeat(hosts);
            let check = check(&zone).await;
            assert_eq!((check.result, check.lookups, check.void_lookups), expected, "{hosts} hosts");
        }
    }

    #[tokio::test]
    async fn a_client_has_at_most_ten_names_and_they_have_to_be_confirmed() {
        let reverse = |names: &[&str]| {
            let line = |name| format!("\n1.2.0.192.in-addr.arpa PTR {name}.");
            let policy = "x.example TXT v=spf1 ptr -all\nmail.x.example A 192.0.2.1\nx.example A 203.0.113.1";
            names.iter().map(line).fold(policy.to_owned(), |zone, line| zone + &line)
        };
        let eleventh = [["other.example"; 10].as_slice(), &["mail.x.example"]].concat();
        for (names, expected) in [
            (["mail.x.example"].as_slice(), SpfResult::Pass),
            (&["x.example", "mail.x.example"], SpfResult::Pass),
            (&["x.example"], SpfResult::Fail),
            (&["mailx.example"], SpfResult::Fail),
            (&eleventh, SpfResult::Fail),
        ] {
            assert_eq!(check(&reverse(names)).await.result, expected, "{names:?}");
        }
    }

    #[tokio::test]
    async fn the_macro_p_prefers_the_domain_then_a_subdomain_then_any_confirmed_name() {
        let policy = "x.example TXT v=spf1 -all exp=why.example\nwhy.example TXT %{p}";
        let named = |name: &str| format!("\n1.2.0.192.in-addr.arpa PTR {name}\n{name} A 192.0.2.1");
        let (own, sub, other) = (named("x.example"), named("mail.x.example"), named("other.example"));
        for (names, expected) in [
            (other.clone() + &sub + &own, "x.example"),
            (other.clone() + &sub, "mail.x.example"),
            (other, "other.example"),
            ("\n1.2.0.192.in-addr.arpa PTR mail.x.example".to_owned(), "unknown"),
            (String::new(), "unknown"),
        ] {
            let check = check(&format!("{policy}{names}")).await;
            assert_eq!((check.explanation.as_deref(), check.lookups), (Some(expected), 0), "{names}");
        }
    }

    #[tokio::test]
    async fn the_policy_that_decides_explains() {
        let rest = "\ny.example TXT v=spf1 -all exp=yy.example\nxx.example TXT x\nyy.example TXT y %{d}";
        for (record, expected) in [
            ("v=spf1 -all exp=xx.example", Some("x")),
            ("v=spf1 redirect=y.example exp=xx.example", Some("y y.example")),
            ("v=spf1 include:y.example -all exp=xx.example", Some("x")),
            ("v=spf1 include:y.example -all", None),
            ("v=spf1 a:1.example a:2.example -all exp=3.example", None),
            ("v=spf1 ~all exp=xx.example", None),
        ] {
            let check = check(&format!("x.example TXT {record}{rest}")).await;
            assert_eq!(check.explanation.as_deref(), expected, "{record}");
        }
    }

    #[tokio::test]
    async fn dns_is_not_asked_for_what_has_no_name() {
        let zone = Zone::new("x.example TXT v=spf1 a:y..example mx -all\nx.example MX ");
        assert_eq!(zone.check("2001:db8::1").await.result, SpfResult::Fail);
        let asked = |name: &str, kind| Question { name: name.to_owned(), kind };
        let expected = [asked("x.example", QuestionKind::Txt), asked("x.example", QuestionKind::Mx)];
        assert_eq!(zone.asked.into_inner().expect("no test panics here"), expected);
    }

    #[tokio::test]
    async fn the_most_greedy_policy_asks_no_more_than_is_said() {
        let hosts = "\nx.example MX y.example".repeat(10);
        let names: String = (0..20).map(|n| format!("\n1.2.0.192.in-addr.arpa PTR {n}.other.example")).collect();
        let terms = format!("exists:%{{p}}.y.example ptr {}", "mx ".repeat(7));
        let policy = format!("x.example TXT v=spf1 {terms} -all exp=why.example\nwhy.example TXT %{{p}}");
        let zone = Zone::new(&format!("{policy}{hosts}{names}"));
        assert_eq!(zone.check("192.0.2.1").await.result, SpfResult::Fail);
        // The policy, 1 + 10 names of the client, exists, 7 times an MX and its 10 hosts, the explanation.
        assert_eq!(zone.asked.into_inner().expect("no test panics here").len(), 1 + 11 + 1 + 7 * 11 + 1);
    }

    #[tokio::test]
    async fn an_evaluation_can_move_between_threads_though_its_lookup_borrows() {
        let zone = std::sync::Arc::new(Zone::new("x.example TXT v=spf1 include:y.example\ny.example TXT v=spf1 all"));
        let check = tokio::spawn(async move { zone.check("192.0.2.1").await }).await;
        assert_eq!(check.expect("no panic").result, SpfResult::Pass);
    }

    #[tokio::test]
    async fn a_sender_without_a_domain_name_costs_no_question() {
        for mail_from in ["ann@localhost", "ann@[192.0.2.1]", "ann@a..example", "ann@x,y.example"] {
            let zone = Zone::new("");
            let check = zone.check_sender("192.0.2.1", mail_from).await;
            assert_eq!((check.result, zone.asked.lock().expect("no panic").len()), (SpfResult::None, 0), "{mail_from}");
        }
    }

    #[tokio::test]
    async fn client_names_that_dns_fails_for_are_given_up_after_two() {
        let names = (1..=5).map(|n| format!("1.2.0.192.in-addr.arpa PTR n{n}.x.example\nn{n}.x.example A failure\n"));
        let zone = Zone::new(&(names.collect::<String>() + "x.example TXT v=spf1 ptr -all"));
        assert_eq!(zone.check("192.0.2.1").await.result, SpfResult::Fail);
        let asked = zone.asked.lock().expect("no panic");
        assert_eq!(asked.iter().filter(|question| question.kind == QuestionKind::A).count(), 2);
    }
}
