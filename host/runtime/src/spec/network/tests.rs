//! Patterns of the network: how they are read, what they let through, and what is passed on of them.

use super::*;

fn endpoint(text: &str) -> Endpoint {
    Endpoint::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn name(text: &str) -> HostName {
    HostName::parse(text).unwrap_or_else(|| panic!("{text} is a name"))
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn patterns_are_read_and_written_in_one_form() {
    for (text, shown) in [
        ("db.example.org:5432", "db.example.org:5432"),
        ("DB.Example.ORG.:5432", "db.example.org:5432"),
        ("*.example.org:443-444", "*.example.org:443-444"),
        ("10.0.0.0/8:5432-5440", "10.0.0.0/8:5432-5440"),
        ("10.1.2.3:1-65535", "10.1.2.3:*"),
        ("10.1.2.3/32:80-80", "10.1.2.3:80"),
        ("0.0.0.0/0:*", "0.0.0.0/0:*"),
        ("[::1]:*", "[::1]:*"),
        ("[fd00::/8]:53", "[fd00::/8]:53"),
        ("[::ffff:10.0.0.1]:53", "10.0.0.1:53"),
        ("[::/0]:53", "[::/0]:53"),
        ("*:*", "*:*"),
        ("xn--bcher-kva.example:80", "xn--bcher-kva.example:80"),
        ("_srv.example:80", "_srv.example:80"),
    ] {
        assert_eq!(endpoint(text).to_string(), shown, "{text}");
        assert_eq!(endpoint(shown), endpoint(text), "{shown} means the same");
    }
    for (text, shown) in [
        ("api.example.org", "https://api.example.org:443"),
        ("https://api.example.org:*", "https://api.example.org:*"),
        ("*.example.org:8443", "https://*.example.org:8443"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://example.org", "http://example.org:80"),
        ("http://10.0.0.0/8", "http://10.0.0.0/8:80"),
        ("[::1]", "https://[::1]:443"),
        ("http://*", "http://*:80"),
    ] {
        assert_eq!(Origin::parse(text).map(|origin| origin.to_string()), Ok(shown.to_owned()), "{text}");
    }
}

#[test]
fn what_is_no_pattern_is_refused_with_a_reason() {
    let long = "a".repeat(64);
    let endless = format!("{}com:1", "a.".repeat(130));
    for (text, problem) in [
        ("db.example.org", "`db.example.org` says no port"),
        ("[::1]", "`[::1]` says no port"),
        ("a:0", "`0` is no port and no range of ports"),
        ("a:65536", "`65536` is no port"),
        ("a:+1", "`+1` is no port"),
        ("a:2-1", "`2-1` is no port"),
        ("a:1-", "`1-` is no port"),
        ("a:", "`` is no port"),
        ("a:1:2", "`1:2` is no port"),
        (":1", "`` is no host"),
        (".:1", "`.` is no host"),
        ("a..b:1", "`a..b` is no host"),
        ("-a:1", "`-a` is no host"),
        ("a b:1", "`a b` is no host"),
        ("a\0b:1", "is no host"),
        ("bücher.example:1", "`bücher.example` is no host"),
        ("a.*.b:1", "`a.*.b` is no host"),
        ("*a:1", "`*a` is no host"),
        ("*.:1", "`` is no host"),
        ("*.1.2.3.4:1", "`1.2.3.4` is no host"),
        ("127.1:1", "`127.1` is no host"),
        ("2130706433:1", "`2130706433` is no host"),
        ("0x7f000001:1", "`0x7f000001` is no host"),
        ("0x7f.0.0.0x1:1", "is no host"),
        ("010.0.0.1:1", "`010.0.0.1` is no host"),
        ("10.1.2.3/8:1", "`10.1.2.3/8` is no block of addresses"),
        ("10.0.0.0/33:1", "`10.0.0.0/33` is no block"),
        ("10.0.0.0/x:1", "`10.0.0.0/x` is no block"),
        ("[fd00::1/8]:1", "`fd00::1/8` is no block"),
        ("[10.0.0.1]:1", "`10.0.0.1` is no host"),
        ("[::1:1", "`[::1:1` is no host"),
        ("[::1]1", "`[::1]1` is no host"),
        ("fd00::1:443", "is no port"),
        (&format!("{long}:1"), "is no host"),
        (&endless, "is no host"),
    ] {
        let refused = Endpoint::parse(text).expect_err(text);
        assert!(refused.to_string().contains(problem), "{text}: {refused}");
        assert!(!refused.remedy().is_empty());
    }
    for (text, problem) in [
        ("ftp://example.org", "`ftp` is no scheme"),
        ("https://example.org/", "says more than a host and a port"),
        ("example.org/path?x", "says more than a host and a port"),
        ("user@example.org", "says more than a host and a port"),
        ("https://", "`` is no host"),
    ] {
        let refused = Origin::parse(text).expect_err(text);
        assert!(refused.to_string().contains(problem), "{text}: {refused}");
    }
}

#[test]
fn two_patterns_have_the_narrower_hosts_in_common_at_the_ports_of_both() {
    for (own, other, common) in [
        ("a.b:1", "A.b.:1", "a.b:1"),
        ("a.b:1", "a.b:2", ""),
        ("a.b:1-5", "a.b:2-4", "a.b:2-4"),
        ("a.b:1-5", "a.b:2-6", "a.b:2-5"),
        ("a.b:1-5", "a.b:5", "a.b:5"),
        ("a.b:1-5", "a.b:6-9", ""),
        ("a.b:*", "a.b:7", "a.b:7"),
        ("a.b:1", "c.b:1", ""),
        ("*.b:1-3", "a.b:2-9", "a.b:2-3"),
        ("*.b:1", "x.a.b:1", "x.a.b:1"),
        ("*.b:1", "b:1", ""),
        ("*.b:1", "ab:1", ""),
        ("*.b:1", "*.b:1", "*.b:1"),
        ("*.b:1", "*.a.b:1", "*.a.b:1"),
        ("*.b:1", "*.ab:1", ""),
        ("*:1", "a.b:1", "a.b:1"),
        ("*:1", "*.b:1", "*.b:1"),
        ("*:1", "*:1-2", "*:1"),
        ("*:1", "localhost:1", ""),
        ("*:1", "*.localhost:1", ""),
        ("*:1", "8.8.8.0/24:1", "8.8.8.0/24:1"),
        ("*:1", "8.8.8.8:1", "8.8.8.8:1"),
        ("*:1", "10.0.0.1:1", ""),
        ("*:1", "[2606:4700::/32]:1", "[2606:4700::/32]:1"),
        ("*:1", "[::1]:1", ""),
        ("10.0.0.0/8:1", "10.1.0.0/16:1", "10.1.0.0/16:1"),
        ("10.0.0.0/8:1", "10.1.2.3:1", "10.1.2.3:1"),
        ("10.0.0.0/8:1", "11.0.0.0/8:1", ""),
        ("0.0.0.0/0:1", "10.0.0.0/8:1", "10.0.0.0/8:1"),
        ("[::/0]:1", "10.0.0.0/8:1", ""),
        // What no pattern says: names that lead there, and all but what is private.
        ("0.0.0.0/0:1", "a.b:1", ""),
        ("*:1", "0.0.0.0/0:1", ""),
        ("*:1", "[2000::/3]:1", ""),
    ] {
        for (own, other) in [(own, other), (other, own)] {
            let meet = endpoint(own).meet(&endpoint(other));
            assert_eq!(meet.map_or_else(String::new, |meet| meet.to_string()), common, "{own} and {other}");
        }
    }
}

#[test]
fn what_two_patterns_have_in_common_lets_through_what_both_let_through() {
    let (hosts, ports) = (
        [
            "*",
            "b",
            "a.b",
            "*.b",
            "*.a.b",
            "localhost",
            "*.localhost",
            "10.0.0.0/8",
            "10.1.0.0/16",
            "0.0.0.0/0",
            "8.8.8.0/24",
            "[::/0]",
            "[2606:4700::/32]",
        ],
        ["1-3", "2-4", "3", "*"],
    );
    let patterns: Vec<Endpoint> =
        hosts.iter().flat_map(|host| ports.map(|port| endpoint(&format!("{host}:{port}")))).collect();
    let names = ["b", "a.b", "x.a.b", "c", "localhost", "a.localhost"].map(name);
    let addresses = ["8.8.8.8", "1.1.1.1", "10.0.0.1", "10.1.0.1", "127.0.0.1", "2606:4700::1", "::1"].map(address);
    for (own, held) in patterns.iter().flat_map(|own| patterns.iter().map(move |held| (own, held))) {
        let meet = own.meet(held);
        let all_but_private = |one: &Endpoint, other: &Endpoint| {
            one.host == Host::Any && matches!(other.host, Host::Addresses(block) if !block.is_public())
        };
        let unsaid = all_but_private(own, held) || all_but_private(held, own);
        for port in 1..=5 {
            for name in &names {
                let has = |pattern: &Endpoint| pattern.ports.contains(port) && pattern.host.has_name(name);
                assert_eq!(meet.as_ref().is_some_and(has), has(own) && has(held), "{name}:{port} of {own} and {held}");
            }
            for address in addresses {
                let has = |pattern: &Endpoint| pattern.ports.contains(port) && pattern.host.has_address(address);
                let by_both = has(own) && has(held) && !unsaid;
                assert_eq!(meet.as_ref().is_some_and(has), by_both, "{address}:{port} of {own} and {held}");
            }
        }
    }
}

#[test]
fn a_parent_passes_on_no_more_of_the_network_than_it_has() {
    let network = |tcp: &[&str], http: &[&str]| Network {
        tcp: tcp.iter().map(|text| endpoint(text)).collect(),
        udp: tcp.iter().map(|text| endpoint(text)).collect(),
        http: http.iter().map(|text| Origin::parse(text).expect("it is one")).collect(),
    };
    let parent = network(&["*.example.org:443", "10.0.0.0/8:*"], &["*.example.org", "http://a.b:1-9"]);
    let child = network(
        &["api.example.org:443", "api.example.org:80", "10.1.0.0/16:5432", "0.0.0.0/0:22", "a.b:443"],
        &["api.example.org", "http://api.example.org:443", "http://a.b:7", "a.b:7", "http://*:8-80"],
    );
    let passed_on = network(
        &["api.example.org:443", "10.1.0.0/16:5432", "10.0.0.0/8:22"],
        &["api.example.org", "http://a.b:7", "http://a.b:8-9"],
    );
    assert_eq!(child.within(&parent), passed_on);
    let everything = network(&["*:*"], &["*:*", "http://*:*"]);
    let public = network(&["*.example.org:443"], &["*.example.org", "http://a.b:1-9"]);
    assert_eq!(everything.within(&parent), public, "what is private has to be said");
    assert!(child.within(&Network::default()).is_empty());
}

#[test]
fn what_is_private_is_no_public_address_in_any_form() {
    for text in [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "3fff::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "5f00::1",
    ] {
        assert!(!is_public(address(text)), "{text}");
    }
    for text in [
        "1.1.1.1",
        "100.63.255.255",
        "100.128.0.1",
        "172.32.0.1",
        "193.0.0.1",
        "223.255.255.255",
        "2606:4700::1",
        "2a00::1",
        "::ffff:1.1.1.1",
        "2001:200::1",
    ] {
        assert!(is_public(address(text)), "{text}");
    }
}

#[test]
fn an_address_is_let_through_by_a_pattern_of_it_or_by_a_name_that_stands_for_it() {
    let granted: Vec<Endpoint> =
        ["db.example.org:5432", "*.cdn.example:443", "localhost:8080", "192.168.1.0/24:22", "[fd00::/8]:53", "*:80"]
            .map(endpoint)
            .to_vec();
    for (to, port, names, expected) in [
        ("1.1.1.1", 5432, "db.example.org", true),
        ("1.1.1.1", 5433, "db.example.org", false),
        ("1.1.1.1", 5432, "", false),
        ("1.1.1.1", 5432, "other.example.org", false),
        ("1.1.1.1", 443, "a.cdn.example", true),
        ("1.1.1.1", 443, "cdn.example", false),
        ("::ffff:1.1.1.1", 443, "a.cdn.example", true),
        // What a name leads to is public, or this machine where the name says so.
        ("127.0.0.1", 5432, "db.example.org", false),
        ("::1", 5432, "db.example.org", false),
        ("::ffff:127.0.0.1", 5432, "db.example.org", false),
        ("169.254.169.254", 443, "a.cdn.example", false),
        ("127.0.0.1", 8080, "localhost", true),
        ("::1", 8080, "localhost", true),
        ("10.0.0.1", 8080, "localhost", false),
        ("127.0.0.1", 8080, "", false),
        // Addresses that were said.
        ("192.168.1.7", 22, "", true),
        ("192.168.1.7", 22, "db.example.org", true),
        ("192.168.2.7", 22, "", false),
        ("::ffff:192.168.1.7", 22, "", true),
        ("fd00::53", 53, "", true),
        // Everybody, as far as everybody can be reached.
        ("8.8.8.8", 80, "", true),
        ("127.0.0.1", 80, "", false),
        ("127.0.0.1", 80, "localhost", false),
        ("224.0.0.1", 80, "", false),
    ] {
        let names: Vec<HostName> = names.split_terminator(',').map(name).collect();
        assert_eq!(lets_through(&granted, address(to), port, &names), expected, "{to} {port} {names:?}");
    }
    let all = [endpoint("0.0.0.0/0:*"), endpoint("[::/0]:*")];
    for to in ["0.0.0.0", "255.255.255.255", "224.0.0.1", "::", "ff02::1"] {
        assert!(!lets_through(&all, address(to), 1, &[]), "{to} is not one host's");
    }
    assert!(lets_through(&all, address("127.0.0.1"), 1, &[]));
}
