//! Links that lead to no page: they open a share, run something, or hold a page themselves.

use std::net::IpAddr;

use super::{Case, Judgement, is_private};
use crate::{
    content::link::{Place, script},
    finding::Severity,
};

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

impl Case<'_> {
    /// A name without a dot is a machine of the reader's own network: offices link to those, and documents among themselves.
    pub(super) fn share(&self, into: &mut Judgement) {
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
        // People write of the shares of their office, and nobody of a number in the open network.
        let is_public = host.parse::<IpAddr>().is_ok_and(|ip| !is_private(ip));
        let severity = if is_public { severity } else { self.unless_text(severity) };
        self.add("link_file_share", severity, detail, into);
    }

    pub(super) fn other(&self, scheme: &str, rest: &str, into: &mut Judgement) {
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
}
