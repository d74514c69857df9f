//! What a policy costs whoever evaluates it (RFC 7208 §4.6.4), when nothing in it matches: every term is visited.
//!
//! [`super::check_host`] cannot tell: some client matches early, and with a client that matches nothing an `all` in an
//! included policy would still end that one.

use std::{mem, net::IpAddr, vec};

use super::{
    evaluate::MAX_MX_HOSTS,
    macro_string::MacroString,
    name::fitted,
    question::{Answer, Data, Question, QuestionKind, ask},
    record::{Directive, Mechanism, Qualifier, Record, RecordError, is_spf},
};

/// Terms with lookups that are visited. A receiver gives up after [`super::MAX_LOOKUPS`].
pub const MAX_VISITED_TERMS: usize = 33;

/// Questions of one walk: the policy, and one for each term.
pub const MAX_COST_QUESTIONS: usize = 1 + MAX_VISITED_TERMS;

/// What came of the walk. Domains are as the records name them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpfCost {
    /// Terms that cause lookups, those of other policies included.
    pub lookups: usize,
    /// Of these, how many find nothing for a client with IPv4.
    pub void_lookups: usize,
    /// Why policies that are included or redirected to cannot be used.
    pub faults: Vec<PolicyFault>,
    /// Whose policies let every client pass: `all`, or a network of all addresses.
    pub pass_everyone: Vec<String>,
    /// Whose policies use `ptr`, which RFC 7208 §5.5 advises against.
    pub use_ptr: Vec<String>,
    pub extent: Extent,
}

/// How much of the tree was visited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Extent {
    #[default]
    Whole,
    /// The counts are at least those: there are more than [`MAX_VISITED_TERMS`] terms.
    Part,
}

/// One policy that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFault {
    pub domain: String,
    pub kind: PolicyFaultKind,
}

/// Why. All but the last are a permerror.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyFaultKind {
    #[error("has no SPF record")]
    Missing,
    #[error("has several SPF records")]
    Several,
    #[error("has an SPF record that cannot be read: {0}")]
    Invalid(RecordError),
    #[error("includes itself")]
    Loop,
    #[error("has more than {MAX_MX_HOSTS} MX hosts, which an mx term must not meet")]
    MxHosts,
    #[error("gave no answer")]
    Unanswered,
}

/// Visits every term, one question after another, at most [`MAX_COST_QUESTIONS`]. The deadline is the caller's.
///
/// Nothing is said about the policy of `domain` itself when it has none or cannot be read. Targets with macros count and
/// are not asked for: they depend on the message. So does `ptr`.
pub async fn cost<L, F>(lookup: L, domain: &str) -> SpfCost
where
    L: Fn(Question) -> F,
    F: Future<Output = Answer>,
{
    let mut walk = Walk { lookup: &lookup, cost: SpfCost::default(), path: Vec::new(), asked_for_name: false };
    let answer = ask(&lookup, domain, QuestionKind::Txt).await;
    if let Ok(record) = policy(answer) {
        walk.enter(domain.to_owned(), record, Reached::ByPass);
    }
    while let Some(policy) = walk.path.last_mut() {
        match policy.unvisited.next() {
            None => drop(walk.path.pop()),
            Some(_) if walk.cost.lookups >= MAX_VISITED_TERMS => {
                walk.cost.extent = Extent::Part;
                break;
            }
            Some(directive) => walk.visit(directive).await,
        }
    }
    walk.cost
}

struct Walk<'w, L> {
    lookup: &'w L,
    cost: SpfCost,
    /// The policy that is being visited, last; before it those that include it or redirect to it.
    path: Vec<Policy>,
    /// The macro `p` costs once (RFC 7208 §4.6.4).
    asked_for_name: bool,
}

struct Policy {
    domain: String,
    unvisited: vec::IntoIter<Directive>,
    reached: Reached,
}

/// Whether a pass of the policy is one for the domain that was asked about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reached {
    ByPass,
    Otherwise,
}

impl<L, F> Walk<'_, L>
where
    L: Fn(Question) -> F,
    F: Future<Output = Answer>,
{
    fn enter(&mut self, domain: String, record: Record, reached: Reached) {
        if reached == Reached::ByPass && passes_everyone(&record) {
            self.cost.pass_everyone.push(domain.clone());
        }
        self.path.push(Policy { domain, unvisited: terms_with_lookups(record).into_iter(), reached });
    }

    async fn visit(&mut self, directive: Directive) {
        self.cost.lookups += 1;
        match directive.mechanism {
            Mechanism::Include(target) => self.include(&target, directive.qualifier).await,
            Mechanism::A { target, .. } => drop(self.ask(target.as_ref(), QuestionKind::A).await),
            Mechanism::Exists(target) => drop(self.ask(Some(&target), QuestionKind::A).await),
            Mechanism::Mx { target, .. } => self.visit_mx(target.as_ref()).await,
            Mechanism::Ptr(_) => self.visit_ptr(),
            Mechanism::All | Mechanism::Ip { .. } => {}
        }
    }

    async fn include(&mut self, target: &MacroString, qualifier: Qualifier) {
        let Some((domain, answer)) = self.ask(Some(target), QuestionKind::Txt).await else { return };
        if self.path.iter().any(|policy| policy.domain.eq_ignore_ascii_case(&domain)) {
            return self.note_fault(domain, PolicyFaultKind::Loop);
        }
        let outer = self.path.last().map_or(Reached::Otherwise, |policy| policy.reached);
        let reached = if qualifier == Qualifier::Pass { outer } else { Reached::Otherwise };
        match policy(answer) {
            Ok(record) => self.enter(domain, record, reached),
            Err(kind) => self.note_fault(domain, kind),
        }
    }

    async fn visit_mx(&mut self, target: Option<&MacroString>) {
        let Some((domain, answer)) = self.ask(target, QuestionKind::Mx).await else { return };
        if answer.records().is_some_and(|hosts| hosts.len() > MAX_MX_HOSTS) {
            self.note_fault(domain, PolicyFaultKind::MxHosts);
        }
    }

    fn visit_ptr(&mut self) {
        let domain = self.path.last().map(|policy| policy.domain.clone()).unwrap_or_default();
        if !self.cost.use_ptr.contains(&domain) {
            self.cost.use_ptr.push(domain);
        }
    }

    fn note_fault(&mut self, domain: String, kind: PolicyFaultKind) {
        let fault = PolicyFault { domain, kind };
        if !self.cost.faults.contains(&fault) {
            self.cost.faults.push(fault);
        }
    }

    /// `None` when the name depends on the message, or is none.
    async fn ask(&mut self, target: Option<&MacroString>, kind: QuestionKind) -> Option<(String, Answer)> {
        let name = match target {
            None => self.path.last()?.domain.clone(),
            Some(target) => {
                let costs_more = target.needs_validated_name() && !mem::replace(&mut self.asked_for_name, true);
                self.cost.lookups += usize::from(costs_more);
                fitted(&target.literal()?)?.to_owned()
            }
        };
        let answer = ask(self.lookup, &name, kind).await;
        self.cost.void_lookups += usize::from(answer.is_void());
        Some((name, answer))
    }
}

/// The one SPF record of an answer (RFC 7208 §4.5).
fn policy(answer: Answer) -> Result<Record, PolicyFaultKind> {
    let records = answer.records().ok_or(PolicyFaultKind::Unanswered)?;
    let mut policies = records.into_iter().filter_map(Data::text).filter(|text| is_spf(text));
    match (policies.next(), policies.next()) {
        (None, _) => Err(PolicyFaultKind::Missing),
        (Some(_), Some(_)) => Err(PolicyFaultKind::Several),
        (Some(text), None) => Record::parse(&text).map_err(PolicyFaultKind::Invalid),
    }
}

/// Up to the first `all`, behind which nothing is tried (RFC 7208 §5.1). A redirection costs what an inclusion does.
fn terms_with_lookups(record: Record) -> Vec<Directive> {
    let is_all = |directive: &Directive| directive.mechanism == Mechanism::All;
    let redirect = record.redirect.filter(|_| !record.directives.iter().any(is_all));
    let redirect =
        redirect.map(|target| Directive { qualifier: Qualifier::Pass, mechanism: Mechanism::Include(target) });
    let tried = record.directives.into_iter().take_while(|directive| !is_all(directive));
    let asks = |directive: &Directive| !matches!(directive.mechanism, Mechanism::Ip { .. });
    tried.filter(asks).chain(redirect).collect()
}

/// Whether some term that is tried means that everybody passes: `all`, or a network of length 0.
fn passes_everyone(record: &Record) -> bool {
    let first_all = record.directives.iter().position(|directive| directive.mechanism == Mechanism::All);
    let tried = first_all.map_or(record.directives.len(), |at| at + 1);
    record.directives.iter().take(tried).any(|Directive { qualifier, mechanism }| {
        let is_everybody = match mechanism {
            Mechanism::All => true,
            Mechanism::Ip { network: IpAddr::V4(_), prefix_lengths } => prefix_lengths.ip4 == 0,
            Mechanism::Ip { network: IpAddr::V6(_), prefix_lengths } => prefix_lengths.ip6 == 0,
            _ => false,
        };
        is_everybody && *qualifier == Qualifier::Pass
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Lines of name, type and data; `failure` as data is one.
    async fn cost_of(zone: &str) -> (SpfCost, usize) {
        let asked = Mutex::new(0);
        let answer = |question: Question| {
            *asked.lock().expect("no test panics here") += 1;
            let kind = format!("{:?}", question.kind).to_ascii_uppercase();
            let lines = zone.lines().map(|line| line.splitn(3, ' ').collect::<Vec<_>>());
            let found: Vec<String> = lines
                .filter(|line| line[0] == question.name && line[1] == kind)
                .map(|line| line[2].to_owned())
                .collect();
            let data = move |text: String| match question.kind {
                QuestionKind::Txt => Data::Text(text.into_bytes()),
                QuestionKind::Mx => Data::MailHost { preference: 1, name: text },
                _ => Data::Address(text.parse().expect("an address")),
            };
            std::future::ready(match found.as_slice() {
                [] => Answer::NxDomain,
                [one] if one == "failure" => Answer::Failed,
                _ => Answer::Records(found.into_iter().map(data).collect()),
            })
        };
        let cost = cost(answer, "x.example").await;
        let asked = *asked.lock().expect("no test panics here");
        (cost, asked)
    }

    fn fault(domain: &str, kind: PolicyFaultKind) -> PolicyFault {
        PolicyFault { domain: domain.to_owned(), kind }
    }

    #[tokio::test]
    async fn every_term_counts_whether_or_not_something_before_it_matches() {
        let one = "\ny.example TXT v=spf1 a:h.example +all\nh.example A 192.0.2.1";
        for (record, lookups, void_lookups) in [
            ("v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all", 0, 0),
            ("v=spf1 a mx ptr exists:h.example -all", 4, 2),
            ("v=spf1 include:y.example include:y.example a:h.example -all", 5, 0),
            ("v=spf1 redirect=y.example", 2, 0),
            ("v=spf1 -all redirect=y.example", 0, 0),
            ("v=spf1 -all a mx", 0, 0),
            ("v=spf1 exists:%{i}.y.example include:%{d}.y.example -all", 2, 0),
            ("v=spf1 exists:%{p}.y.example exists:%{p}.y.example -all", 3, 0),
            ("v=spf1 include:gone.example -all", 1, 1),
            ("v=spf1 a:y..example -all", 1, 0),
        ] {
            let (cost, _) = cost_of(&format!("x.example TXT {record}{one}")).await;
            assert_eq!((cost.lookups, cost.void_lookups), (lookups, void_lookups), "{record}");
            assert_eq!(cost.extent, Extent::Whole, "{record}");
        }
        for nothing in ["", "x.example TXT v=spf1 what", "x.example TXT failure"] {
            assert_eq!(cost_of(nothing).await.0, SpfCost::default(), "{nothing}");
        }
    }

    #[tokio::test]
    async fn a_policy_that_cannot_be_used_is_named() {
        use PolicyFaultKind::*;
        let hosts = "\ny.example MX h.example".repeat(11);
        for (term, zone, expected) in [
            ("include:y.example", "", Missing),
            ("redirect=y.example", "", Missing),
            ("include:y.example", "y.example TXT v=spf1\ny.example TXT v=spf1 -all", Several),
            (
                "include:y.example",
                "y.example TXT v=spf1 -all extra",
                Invalid(RecordError::UnknownMechanism("extra".into())),
            ),
            ("include:y.example", "y.example TXT failure", Unanswered),
            ("mx:y.example", hosts.trim_start(), MxHosts),
        ] {
            let (cost, _) = cost_of(&format!("x.example TXT v=spf1 {term}\n{zone}")).await;
            assert_eq!(cost.faults, [fault("y.example", expected)], "{term} {zone}");
        }
        for zone in ["x.example TXT v=spf1 include:X.example -all", "x.example TXT v=spf1 redirect=x.example"] {
            let (cost, _) = cost_of(zone).await;
            assert_eq!((cost.lookups, cost.faults[0].kind.clone()), (1, Loop), "{zone}");
        }
        let (cost, _) =
            cost_of("x.example TXT v=spf1 include:y.example -all\ny.example TXT v=spf1 include:x.example").await;
        assert_eq!((cost.lookups, cost.faults), (2, vec![fault("x.example", Loop)]));
    }

    #[tokio::test]
    async fn who_lets_everybody_pass_is_named_unless_the_inclusion_is_no_pass() {
        for (record, expected) in [
            ("v=spf1 +all", &["x.example"][..]),
            ("v=spf1 ip4:0.0.0.0/0 -all", &["x.example"]),
            ("v=spf1 ip6:::/0 -all", &["x.example"]),
            ("v=spf1 -ip4:0.0.0.0/0 ~all", &[]),
            ("v=spf1 -all +all", &[]),
            ("v=spf1 ip4:192.0.2.0/24 ?all", &[]),
            ("v=spf1 include:y.example -all", &["y.example"]),
            ("v=spf1 redirect=y.example", &["y.example"]),
            ("v=spf1 ?include:y.example -all", &[]),
            ("v=spf1 -include:z.example -all", &[]),
        ] {
            let rest = "y.example TXT v=spf1 all\nz.example TXT v=spf1 include:y.example";
            let (cost, _) = cost_of(&format!("x.example TXT {record}\n{rest}")).await;
            assert_eq!(cost.pass_everyone, expected, "{record}");
        }
    }

    #[tokio::test]
    async fn a_tree_that_never_ends_is_left_after_so_many_questions() {
        let wide = format!("x.example TXT v=spf1{}", " include:x1.example".repeat(400));
        let deep: String = (0..99)
            .map(|n| format!("\nx{n}.example TXT v=spf1{}", format!(" include:x{}.example", n + 1).repeat(9)))
            .collect();
        let (cost, asked) = cost_of(&(wide + &deep)).await;
        assert_eq!((cost.lookups, cost.extent, asked), (MAX_VISITED_TERMS, Extent::Part, MAX_COST_QUESTIONS));
    }
}
