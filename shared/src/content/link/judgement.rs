//! What is wrong with the links of a part.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    net::IpAddr,
};

use super::{
    Asks, Link, MAX_LINKS, Place, Target, script,
    services::{Service, service},
    shown::{Looks, Shown, is_reserved, shown as shown_by},
    target::Address,
};
use crate::{
    content::mime,
    finding::{Finding, Severity},
    impersonation::MAX_HOSTS,
    look_alike::is_well_known,
};

/// Findings of one code in one message; a hundred links of the same kind tell no more than five.
const MOST_OF_A_CODE: usize = 5;

/// Characters of a path and query in which a tracker can tell a link from another.
const LEAST_TOKEN: usize = 12;

/// Schemes that ordinary mail has, and that lead to nothing that runs.
const HARMLESS: [&str; 26] = [
    "mailto", "tel", "sms", "cid", "mid", "news", "nntp", "irc", "ircs", "xmpp", "sip", "sips", "callto", "webcal",
    "skype", "whatsapp", "facetime", "maps", "geo", "magnet", "gopher", "telnet", "ldap", "about", "urn", "doi",
];

/// Schemes that run a script in the page, or open a program with a file of somebody else's.
const RUNNING: [&str; 28] = [
    "javascript",
    "vbscript",
    "livescript",
    "mocha",
    "search-ms",
    "search",
    "ms-msdt",
    "ms-officecmd",
    "ms-word",
    "ms-excel",
    "ms-powerpoint",
    "ms-visio",
    "ms-access",
    "ms-project",
    "ms-publisher",
    "ms-cxh",
    "ms-cxh-full",
    "ms-appinstaller",
    "ms-screenclip",
    "ms-its",
    "its",
    "mk",
    "hcp",
    "shell",
    "res",
    "jar",
    "mhtml",
    "view-source",
];

/// Schemes that hand a password hash or an access to whoever runs the host.
const SHARES: [&str; 6] = ["smb", "cifs", "afp", "nfs", "dav", "davs"];

/// What is known of the message around the links.
#[derive(Debug, Clone, Default)]
pub struct Linked {
    /// Domain of the author, as A-labels.
    pub author_domain: Option<String>,
}

/// Findings, and the hosts that links lead to. One for a message, whatever number of parts it has.
#[derive(Debug, Default)]
pub struct Judgement {
    pub findings: Vec<Finding>,
    /// Names, not addresses; in the order of the message.
    pub hosts: Vec<String>,
    seen: HashSet<Link>,
    /// How many of them stand in attached files.
    in_files: usize,
    targets: HashSet<String>,
    /// Addresses that the text of the letter shows as they are.
    shown_ips: HashSet<IpAddr>,
    by_code: BTreeMap<&'static str, usize>,
    known_hosts: BTreeSet<String>,
}

/// One link that is being judged.
struct Case<'l> {
    link: &'l Link,
    /// The part that it stands in.
    path: &'l str,
    linked: &'l Linked,
}

/// Judges the links of the part `path`. Each link counts once in a message.
pub fn judge(links: &[Link], path: &str, linked: &Linked, into: &mut Judgement) {
    for link in links {
        let is_in_file = link.place == Place::File;
        let known = if is_in_file { into.in_files } else { into.seen.len() - into.in_files };
        if MAX_LINKS <= known && !into.seen.contains(link) {
            let detail =
                format!("The message has more than {MAX_LINKS} different links; the others were not looked at.");
            // No letter has so many, but honest tables do.
            let severity = if is_in_file { Severity::Review } else { Severity::Quarantine };
            into.add("link_limit_exceeded", severity, detail, path.to_owned());
            return;
        }
        // What an attached page has as a link, the reader of the file found as an address too.
        let is_known = is_in_file && into.targets.contains(&link.target);
        into.targets.insert(link.target.clone());
        if !is_known && into.seen.insert(link.clone()) {
            into.in_files += usize::from(is_in_file);
            Case { link, path, linked }.judge(into);
        }
    }
}

impl Judgement {
    fn add(&mut self, code: &'static str, severity: Severity, detail: impl Into<String>, location: String) {
        let count = self.by_code.entry(code).or_default();
        *count += 1;
        if *count <= MOST_OF_A_CODE {
            self.findings.push(Finding::new(code, severity, detail).at(location));
        }
    }

    fn remember(&mut self, host: &str) {
        if self.hosts.len() < MAX_HOSTS && host.contains('.') && self.known_hosts.insert(host.to_owned()) {
            self.hosts.push(host.to_owned());
        }
    }
}

impl Case<'_> {
    fn judge(&self, into: &mut Judgement) {
        match Target::parse(&self.link.target) {
            Target::Web(address) => self.web(&address, into),
            Target::Share => self.share(into),
            Target::Other { scheme, rest } => self.other(&scheme, &rest, into),
            Target::Nowhere => {}
        }
        self.form(into);
    }

    /// A name without a dot is a machine of the reader's own network: offices link to those, and documents among themselves.
    fn share(&self, into: &mut Judgement) {
        let path = self.link.target.split_once(':').map_or(self.link.target.as_str(), |(_, path)| path);
        let host = path.trim_start_matches(['/', '\\']).split(['/', '\\']).next().unwrap_or_default();
        let is_number = host.starts_with("0x") || host.bytes().all(|octet| octet.is_ascii_digit());
        let is_near = !is_number && !host.contains(['.', '@', '[']);
        let severity = match (is_near, self.link.place) {
            (true, Place::File) => return,
            (true, _) => Severity::Review,
            (false, _) => Severity::Quarantine,
        };
        let detail = "The link opens a file share of another machine, which is shown the reader's password hash.";
        self.add("link_file_share", self.unless_text(severity), detail, into);
    }

    fn web(&self, address: &Address, into: &mut Judgement) {
        self.written(address, into);
        match address.ip() {
            Some(ip) => self.ip(ip, address, into),
            None => {
                into.remember(&address.host());
                self.name(address, into);
            }
        }
        match self.link.place {
            Place::Refresh => {
                let detail = format!("The message leads to {} without a click.", address.host());
                self.add("link_without_click", Severity::Quarantine, detail, into);
            }
            Place::Frame => {
                let detail = format!("The message shows a page of {} within itself.", address.host());
                self.add("frame_in_message", Severity::Review, detail, into);
            }
            _ => {}
        }
        if self.link.place == Place::Anchor {
            self.shown(address, into);
        }
        if self.link.place != Place::Resource {
            self.elsewhere(address, into);
        }
    }

    /// How the address is written.
    fn written(&self, address: &Address, into: &mut Judgement) {
        let host = address.host();
        if let Some(userinfo) = &address.userinfo {
            let is_host = userinfo.contains('.') || userinfo.contains("%2") || userinfo.contains("//");
            let severity = if is_host { Severity::Quarantine } else { Severity::Review };
            let before = mime::shown(userinfo);
            let detail = format!(
                "The link seems to lead to {before}, but what stands before the @ counts for nothing: it leads to {host}."
            );
            self.add("link_userinfo", self.unless_text(severity), detail, into);
        }
        if address.has_invisible() || self.link.target.contains(turns_direction) {
            let detail =
                format!("The address of {host} has characters that nobody sees, or that turn the reading direction.");
            self.add("link_hidden_characters", self.unless_text(Severity::Quarantine), detail, into);
        }
        if address.has_backslash {
            let detail = format!(
                "The address of {host} has backslashes for slashes: browsers open it, many scanners do not see a link."
            );
            self.add("link_backslash", self.unless_text(Severity::Quarantine), detail, into);
        }
        if address.is_disguised_ip() || address.is_disguised_name() {
            let detail =
                format!("The host {} is written so that nobody recognises {host}.", mime::shown(&address.written_host));
            self.add("link_disguised_host", Severity::Quarantine, detail, into);
        }
    }

    fn ip(&self, ip: IpAddr, address: &Address, into: &mut Judgement) {
        if is_private(ip) {
            return;
        }
        let detail = format!("The link leads to {}, a machine without a name.", address.host());
        if self.link.place == Place::Text {
            into.shown_ips.insert(ip);
        }
        // Whoever writes it out in the letter's text hides nothing by it.
        let is_mild = self.link.place == Place::Resource || into.shown_ips.contains(&ip);
        let severity = if is_mild { Severity::Review } else { Severity::Quarantine };
        self.add("link_ip_host", self.unless_text(severity), detail, into);
    }

    fn name(&self, address: &Address, into: &mut Judgement) {
        let host = address.host();
        let is_known = psl::suffix(host.as_bytes()).is_some_and(|suffix| suffix.is_known());
        if !is_known && host.contains('.') && !is_reserved(&host) {
            let detail = format!("The link leads to {host}, whose top-level domain does not exist.");
            self.add("link_unknown_top_level", Severity::Review, detail, into);
        }
        if mixes_scripts(&host) {
            let detail =
                format!("The name {host} mixes letters of several scripts, so that it reads like another name.");
            self.add("link_mixed_scripts", Severity::Quarantine, detail, into);
        }
    }

    /// What the reader sees against where the link leads.
    fn shown(&self, address: &Address, into: &mut Judgement) {
        let Some(shown) = shown_by(&self.link.shown) else { return };
        if shown.has_invisible {
            let detail = format!("The text of the link, {}, has characters that nobody sees.", shown.host);
            self.add("link_hidden_characters", Severity::Review, detail, into);
        }
        let Some(severity) = self.mismatch(&shown, address) else { return };
        let detail = format!("The link shows {} but leads to {}.", shown.host, address.host());
        self.add("link_display_mismatch", severity, detail, into);
    }

    /// Honest senders count clicks: their links lead to a counting service, or to a page of their own with a token in its
    /// address, which leads on. A link that leads to a plain page of somebody else leads nowhere but there.
    fn mismatch(&self, shown: &Shown, address: &Address) -> Option<Severity> {
        let (promised, actual) = (registrable(&shown.host), registrable(&address.host()));
        if is_same_owner(&promised, &actual) || service(address) == Some(Service::Tracker) {
            return None;
        }
        let is_named = address.embedded().is_some_and(|target| names(&target, &promised));
        if is_named || shown.looks == Looks::LikeName {
            return Some(Severity::Review);
        }
        let leads_on = has_token(address) || service(address) == Some(Service::Shortener);
        let is_of_author = self.linked.author_domain.as_deref().is_some_and(|author| registrable(author) == actual);
        let is_bait = is_well_known(promised.split('.').next().unwrap_or_default()) && !is_of_author;
        Some(if leads_on && !is_bait { Severity::Review } else { Severity::Quarantine })
    }

    /// Where the address leads on to.
    fn elsewhere(&self, address: &Address, into: &mut Judgement) {
        let host = address.host();
        match service(address) {
            Some(Service::Shortener) => {
                let detail = format!("The link is shortened by {host}: where it leads is not to be seen.");
                self.add("link_shortener", Severity::Review, detail, into);
            }
            Some(Service::Redirector { .. }) => {
                let detail = format!("The link leads by way of {host} to wherever its address says.");
                self.add("link_redirector", Severity::Review, detail, into);
            }
            Some(Service::Hosting) => {
                let detail =
                    format!("The link leads to {host}, where anybody can put a page under a name that is not theirs.");
                self.add("link_open_hosting", Severity::Review, detail, into);
            }
            Some(Service::Tracker) | None => {}
        }
        let Some(embedded) = address.embedded() else { return };
        if let Target::Web(inner) = Target::parse(&embedded) {
            let case = Case { link: &Link { target: embedded, ..self.link.clone() }, ..*self };
            case.written(&inner, into);
            match inner.ip() {
                Some(ip) => case.ip(ip, &inner, into),
                None => into.remember(&inner.host()),
            }
        }
    }

    fn other(&self, scheme: &str, rest: &str, into: &mut Judgement) {
        if scheme == "data" {
            return self.data(rest, into);
        }
        if SHARES.contains(&scheme) {
            let detail = format!(
                "The link opens a share ({scheme}) of another machine, which is shown the reader's credentials."
            );
            return self.add("link_file_share", self.unless_text(Severity::Quarantine), detail, into);
        }
        if RUNNING.contains(&scheme) {
            let severity = if scheme.ends_with("script") { script::severity(rest) } else { Some(Severity::Quarantine) };
            let Some(severity) = severity else { return };
            let detail = format!(
                "The address begins with {scheme}: it leads to no page but runs something on the reader's machine."
            );
            return self.add("link_running_scheme", self.unless_text(severity), detail, into);
        }
        let is_unusual = scheme.starts_with("ms-") && !HARMLESS.contains(&scheme);
        if is_unusual && self.link.place.is_followed() {
            let detail = format!("The address begins with {scheme}, which opens a program on the reader's machine.");
            self.add("link_running_scheme", Severity::Review, detail, into);
        }
    }

    /// A page within the address (RFC 2397). Pictures are ordinary.
    fn data(&self, rest: &str, into: &mut Judgement) {
        let kind = rest.split([',', ';']).next().unwrap_or_default().trim().to_ascii_lowercase();
        let is_page = ["html", "xml", "svg", "script"].iter().any(|word| kind.contains(word));
        let is_picture =
            ["image/", "font/", "audio/", "video/"].iter().any(|start| kind.starts_with(start)) && !is_page;
        if is_picture || (!self.link.place.is_followed() && !is_page) || self.link.place == Place::Resource {
            return;
        }
        let detail = "The link holds a whole page in its address, which no server and no filter has seen.";
        self.add("link_data_page", self.unless_text(Severity::Quarantine), detail, into);
    }

    fn form(&self, into: &mut Judgement) {
        let host = match Target::parse(&self.link.target) {
            Target::Web(address) => address.host(),
            Target::Other { .. } | Target::Share | Target::Nowhere => "nowhere that is named".to_owned(),
        };
        match self.link.place {
            Place::Form(Asks::Password) => {
                let detail = format!("The message asks for a password and sends it to {host}.");
                self.add("credential_form", Severity::Quarantine, detail, into);
            }
            Place::Form(Asks::Text) => {
                let detail = format!("The message has a form that sends what is typed into it to {host}.");
                self.add("form_in_message", Severity::Review, detail, into);
            }
            _ => {}
        }
    }

    /// What stands in a plain text is often written about, and is not always a link.
    fn unless_text(&self, severity: Severity) -> Severity {
        if self.link.place == Place::Text { severity.min(Severity::Review) } else { severity }
    }

    fn add(&self, code: &'static str, severity: Severity, detail: impl Into<String>, into: &mut Judgement) {
        let location = format!("{} {}", self.path, mime::shown(&self.link.target));
        into.add(code, severity, detail, location.trim_end().to_owned());
    }
}

/// The name that somebody registered, or the whole name where nobody can.
fn registrable(host: &str) -> String {
    psl::domain_str(host).unwrap_or(host).to_owned()
}

/// The same name, also under another end: `shop.example.de` and `example.com`.
fn is_same_owner(one: &str, other: &str) -> bool {
    let label = |domain: &str| domain.split('.').next().unwrap_or_default().to_owned();
    one == other || label(one) == label(other)
}

fn names(target: &str, domain: &str) -> bool {
    matches!(Target::parse(target), Target::Web(address) if registrable(&address.host()) == domain)
}

/// Something in path or query that tells this link from others: letters and digits that are no words.
fn has_token(address: &Address) -> bool {
    let query = address.url.query().unwrap_or_default();
    let mut words = address.url.path().split(['/', '.', ';']).chain(query.split(['&', '=', ';']));
    words.any(|word| {
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        let capitals = word.bytes().filter(u8::is_ascii_uppercase).count();
        let small = word.bytes().filter(u8::is_ascii_lowercase).count();
        let is_mixed = (0 < digits && 0 < capitals + small) || (1 < capitals && 1 < small);
        LEAST_TOKEN <= word.len() && (is_mixed || LEAST_TOKEN <= digits)
    })
}

/// Labels of a name whose letters are of scripts that no language mixes (UTS 39 §5.1).
fn mixes_scripts(host: &str) -> bool {
    use unicode_security::MixedScript;
    let (unicode, decoded) = idna::domain_to_unicode(host);
    decoded.is_ok() && host.contains("xn--") && unicode.split('.').any(|label| !label.is_single_script())
}

/// Loopback, private and link-local networks: nobody outside can be reached there.
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// Overrides and embeddings; the marks of right-to-left scripts are ordinary in their texts.
fn turns_direction(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
