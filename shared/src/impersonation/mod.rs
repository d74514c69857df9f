//! Who a message pretends to be from, and where it pretends to lead: names that read like those of others.
//!
//! What a name says is judged against who stands behind it: the same name is harmless where DMARC says that its owner wrote.

mod brand;
mod claim;
mod dress;

use self::{
    brand::{Brand, Brands, first_label, is_rented, registered},
    claim::{Claim, claim},
    dress::{Worn, worn},
};
use crate::{
    address::Domain,
    authentication::{Authentication, DkimResult, DkimSignature, DmarcResult},
    author::Author,
    display_name,
    domain_list::{Class, DomainList},
    finding::{Finding, Severity},
    look_alike::LookAlikes,
    reply_to::ReplyTo,
    spf::SpfResult,
};

/// Hosts of links that the inspector tells, to be compared and asked about.
pub const MAX_HOSTS: usize = 200;

/// Findings about where replies go; more of them tell no more.
const MOST_REPLIES: usize = 5;

/// Codes of the findings that this file makes, with the README's words.
pub const FINDING_CODES: &[(&str, &str)] = &[
    ("author_look_alike", "the author's domain reads like a protected or well-known one, or wears its name"),
    (
        "reply_to_look_alike",
        "replies go to a domain that reads like a protected or well-known one, wears its name, or reads like the author's",
    ),
    ("reply_to_free_mail", "the author writes from a domain of its own, and replies go to a free mailbox"),
    (
        "display_name_claims_brand",
        "the display name of the author or of Reply-To is a protected or well-known name, and the domain is another's",
    ),
    ("link_look_alike", "a link leads to a host that reads like a protected or well-known one, or wears its name"),
];

/// What is known of a message besides its content.
#[derive(Debug, Clone, Copy)]
pub struct Sender<'m> {
    pub author: &'m Author,
    /// The mailboxes that replies go to, if the message names any.
    pub reply_to: &'m [ReplyTo],
    pub proof: Proof,
    /// A mailing list sent it: those name other authors and set where replies go.
    pub is_from_list: bool,
}

/// Who answers for the author's domain. Anybody can prove a domain of their own, so it excuses little.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proof {
    Nobody,
    /// SPF or DKIM passed for the domain, whose owner published no policy.
    Aligned,
    /// DMARC passed.
    Dmarc,
}

impl Proof {
    #[must_use]
    pub fn of(results: &Authentication, author: &Author) -> Self {
        let is_aligned = |domain: &str| registered(domain) == registered(&author.domain);
        let by_spf = results.spf == SpfResult::Pass && is_aligned(&results.spf_domain);
        let signed = |signature: &DkimSignature| signature.result == DkimResult::Pass && is_aligned(&signature.domain);
        match results.dmarc.result {
            DmarcResult::Pass => Self::Dmarc,
            DmarcResult::None if by_spf || results.dkim.iter().any(signed) => Self::Aligned,
            _ => Self::Nobody,
        }
    }
}

/// The names that this receiver protects, and the well-known ones.
#[derive(Debug, Clone)]
pub struct Names {
    protected: Vec<String>,
    brands: Brands,
    look_alikes: LookAlikes,
}

impl Names {
    /// What is no domain is left out.
    #[must_use]
    pub fn new(protected: &[String]) -> Self {
        let domains: Vec<Domain> = protected.iter().filter_map(|name| Domain::parse(name).ok()).collect();
        let protected = domains.iter().map(ToString::to_string).collect();
        Self { look_alikes: LookAlikes::new(&domains), brands: Brands::new(&domains), protected }
    }

    /// What misleads about the sender. `list` knows who gives mailboxes away.
    #[must_use]
    pub fn of_sender(&self, sender: Sender<'_>, list: &DomainList) -> Vec<Finding> {
        let Ok(author) = Domain::parse(&sender.author.domain) else { return Vec::new() };
        let name = sender.author.display_name.as_deref().unwrap_or_default();
        let claim = self.claim(name, &author, sender.proof);
        let mut findings: Vec<Finding> = self.author(&author, claim).into_iter().collect();
        findings.extend(claim.and_then(|claim| claim_finding(&claim, sender, "author", &author)));
        let replies = sender.reply_to.iter().flat_map(|reply| self.reply(sender, &author, reply, list));
        findings.extend(replies.take(MOST_REPLIES));
        findings
    }

    /// What misleads about where links lead. `hosts` are what the inspector saw.
    #[must_use]
    pub fn of_links(&self, hosts: &[String]) -> Vec<Finding> {
        let hosts = hosts.iter().take(MAX_HOSTS).filter_map(|host| Domain::parse(host).ok());
        let judged = hosts.filter_map(|host| {
            let (severity, detail) = self.link(&host)?;
            Some(Finding::new("link_look_alike", severity, detail).at(host.unicode().into_owned()))
        });
        judged.collect()
    }

    /// Anybody can register a known name under a new end; whoever then proves it by DMARC is believed, as the owners do.
    fn claim(&self, name: &str, domain: &Domain, proof: Proof) -> Option<Claim<'_>> {
        let is_own = |brand: &Brand| brand.owns(domain) && (proof == Proof::Dmarc || brand.is_at_home(domain));
        claim(name, &self.brands, first_label(registered(domain.as_str())), is_own)
    }

    fn author(&self, author: &Domain, claim: Option<Claim<'_>>) -> Option<Finding> {
        let shown = author.unicode();
        if let Some(imitated) = self.look_alikes.imitated(author) {
            let detail = format!("The author's domain, {shown}, reads like {imitated} and is another.");
            return Some(Finding::new("author_look_alike", Severity::Quarantine, detail));
        }
        let (worn, brand) = worn(author, &self.brands)?;
        let is_claimed = claim.is_some_and(|claim| claim.leads && claim.brand.label == brand.label);
        let severity = if is_claimed { Severity::Quarantine } else { severity_of(worn, brand)? };
        let detail =
            format!("The author's domain, {shown}, has the name {} in it and belongs to somebody else.", brand.label);
        Some(Finding::new("author_look_alike", severity, detail))
    }

    fn reply(&self, sender: Sender<'_>, author: &Domain, reply: &ReplyTo, list: &DomainList) -> Vec<Finding> {
        let is_own = registered(author.as_str()) == registered(reply.domain.as_str());
        let mut findings = display_name::findings_of_reply(reply, sender.author, sender.is_from_list, &self.protected);
        if !is_own {
            let name =
                reply.display_name.as_deref().filter(|name| Some(*name) != sender.author.display_name.as_deref());
            // A company may well have its replies answered elsewhere.
            let claim = name
                .and_then(|name| self.claim(name, &reply.domain, sender.proof))
                .filter(|claim| !claim.brand.owns(author));
            findings.extend(claim.and_then(|claim| claim_finding(&claim, sender, "reply address", &reply.domain)));
            findings.extend(self.reply_domain(sender, author, &reply.domain, list));
        }
        findings
    }

    fn reply_domain(
        &self,
        sender: Sender<'_>,
        author: &Domain,
        reply_to: &Domain,
        list: &DomainList,
    ) -> Option<Finding> {
        let shown = reply_to.unicode();
        let of_author = LookAlikes::new(std::slice::from_ref(author));
        let is_free = |domain: &Domain| list.class(domain) == Some(Class::Free);
        let imitated = self.look_alikes.imitated(reply_to).or_else(|| {
            let is_comparable = !is_free(author) && !sender.is_from_list;
            is_comparable.then(|| of_author.imitated(reply_to)).flatten().filter(|name| *name == author.as_str())
        });
        if let Some(imitated) = imitated {
            let detail = format!("Replies go to {shown}, which reads like {imitated} and is another.");
            return Some(Finding::new("reply_to_look_alike", Severity::Quarantine, detail));
        }
        if let Some((worn, brand)) = worn(reply_to, &self.brands).filter(|(_, brand)| !brand.owns(author)) {
            let detail = format!("Replies go to {shown}, which has the name {} in it and is another's.", brand.label);
            return severity_of(worn, brand).map(|severity| Finding::new("reply_to_look_alike", severity, detail));
        }
        if !is_free(reply_to) || is_free(author) {
            return None;
        }
        let severity = if sender.is_from_list { Severity::Info } else { Severity::Review };
        let detail = format!("The author is of {author}, and replies go to a free mailbox at {reply_to}.");
        Some(Finding::new("reply_to_free_mail", severity, detail))
    }

    fn link(&self, host: &Domain) -> Option<(Severity, String)> {
        let shown = host.unicode();
        if let Some((worn, brand)) = worn(host, &self.brands) {
            let detail = format!("The host {shown} has the name {} in it and belongs to somebody else.", brand.label);
            // `shop.example` and `shop.provider.example` may both be ours; other names are often those of customers.
            let severity = match worn {
                Worn::Label if is_rented(host.as_str()) => Severity::Info,
                Worn::Label if brand.domain.is_none() => return None,
                _ => severity_of(worn, brand)?,
            };
            return Some((severity, detail));
        }
        let imitated = self.look_alikes.imitated(host)?;
        let is_same_word = self.brands.protected().any(|own| host.labels().any(|label| label == own.label));
        let severity = if is_same_word { Severity::Info } else { Severity::Quarantine };
        Some((severity, format!("The host {shown} reads like {imitated} and is another.")))
    }
}

/// What it weighs that a domain wears a name. The owners of ordinary words are many.
fn severity_of(worn: Worn, brand: &Brand) -> Option<Severity> {
    match worn {
        Worn::Whole | Worn::Disguised | Worn::Bait => Some(Severity::Quarantine),
        Worn::Part | Worn::Label => (!brand.is_ordinary()).then_some(Severity::Review),
    }
}

/// `Shop Service <x@elsewhere.example>`
fn claim_finding(claim: &Claim<'_>, sender: Sender<'_>, whose: &str, domain: &Domain) -> Option<Finding> {
    let severity = weight(claim, sender)?;
    let (label, shown) = (&claim.brand.label, domain.unicode());
    let detail = format!("The display name claims {label}, but the {whose} is of {shown}.");
    Some(Finding::new("display_name_claims_brand", severity, detail))
}

/// A name that leads is a claim to be its owner; further behind it may be what the author trades in, or a family name.
fn weight(claim: &Claim<'_>, sender: Sender<'_>) -> Option<Severity> {
    let is_protected = claim.brand.domain.is_some();
    let is_claimed = claim.leads && !claim.names_author;
    let severity = match (is_protected, sender.proof) {
        _ if claim.is_disguised && !claim.brand.is_ordinary() => Severity::Quarantine,
        (true, Proof::Dmarc) if is_claimed => Severity::Review,
        (true, _) if is_claimed => Severity::Quarantine,
        (true, Proof::Nobody) => Severity::Review,
        (false, proof) if claim.brand.is_ordinary() => {
            return (claim.is_all && proof == Proof::Nobody).then_some(Severity::Review);
        }
        (false, Proof::Nobody) if is_claimed => Severity::Quarantine,
        (false, _) if is_claimed => Severity::Review,
        _ => return None,
    };
    Some(if sender.is_from_list { severity.min(Severity::Review) } else { severity })
}

#[cfg(test)]
mod tests;
