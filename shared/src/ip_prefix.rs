//! Prefixes of IP addresses: whom to count as one source.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// The first bits of an address, written in CIDR notation (RFC 4632 §3.1, RFC 4291 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IpPrefix {
    address: IpAddr,
    length: u32,
}

impl IpPrefix {
    /// What one subscriber has at least: an IPv4 address, or the /64 of a link (RFC 6177 §2).
    #[must_use]
    pub fn of_subscriber(address: IpAddr) -> Self {
        Self::cut(address, 32, 64)
    }

    /// Coarse enough to be kept and shown: a /24, or the /48 of a site. It names no person.
    #[must_use]
    pub fn of_network(address: IpAddr) -> Self {
        Self::cut(address, 24, 48)
    }

    /// An IPv4 address inside of an IPv6 one (RFC 4291 §2.5.5.2) is the IPv4 address: one source has one prefix.
    fn cut(address: IpAddr, v4_length: u32, v6_length: u32) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => {
                let kept = v4.to_bits() & u32::MAX.checked_shl(32 - v4_length).unwrap_or(0);
                Self { address: Ipv4Addr::from_bits(kept).into(), length: v4_length }
            }
            IpAddr::V6(v6) => {
                let kept = v6.to_bits() & u128::MAX.checked_shl(128 - v6_length).unwrap_or(0);
                Self { address: Ipv6Addr::from_bits(kept).into(), length: v6_length }
            }
        }
    }
}

impl fmt::Display for IpPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_source_have_one_prefix() {
        for (address, subscriber, network) in [
            ("192.0.2.77", "192.0.2.77/32", "192.0.2.0/24"),
            ("::ffff:192.0.2.77", "192.0.2.77/32", "192.0.2.0/24"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1::/48"),
            ("2001:db8:1:2::1", "2001:db8:1:2::/64", "2001:db8:1::/48"),
            ("::1", "::/64", "::/48"),
            ("255.255.255.255", "255.255.255.255/32", "255.255.255.0/24"),
        ] {
            let address = address.parse().expect("an address written in this test");
            assert_eq!(IpPrefix::of_subscriber(address).to_string(), subscriber);
            assert_eq!(IpPrefix::of_network(address).to_string(), network);
        }
    }
}
