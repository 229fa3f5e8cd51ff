//! SPIFFE IDs.
//!
//! Lives here: their form ("SPIFFE ID", section 2). Never: who vouches for one.

/// Longest name of a trust domain (section 2.3).
const TRUST_DOMAIN_BYTES_MAX: usize = 255;
const SCHEME: &str = "spiffe://";

/// Whether this is the name of a trust domain.
pub fn is_trust_domain(name: &str) -> bool {
    let fine =
        |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_');
    (1..=TRUST_DOMAIN_BYTES_MAX).contains(&name.len()) && name.bytes().all(fine)
}

/// The trust domain of a workload's id, if this is one. One spelling is taken, that of the standard: no other case, no
/// escapes, no port, no query; and a path, without which it names the trust domain itself.
pub(super) fn trust_domain_of(id: &str) -> Option<&str> {
    let (domain, path) = id.strip_prefix(SCHEME)?.split_once('/')?;
    let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let good = |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(fine);
    (is_trust_domain(domain) && path.split('/').all(good)).then_some(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        assert_eq!(
            trust_domain_of("spiffe://prod.example.com/ns/a/sa/b"),
            Some("prod.example.com")
        );
        assert_eq!(trust_domain_of("spiffe://p_1-x/A.b-c_9"), Some("p_1-x"));
        for bad in [
            "",
            "spiffe://",
            "spiffe://prod",
            "spiffe://prod/",
            "spiffe:///a",
            "SPIFFE://prod/a",
            "spiffe://Prod/a",
            "spiffe://prod:8080/a",
            "spiffe://user@prod/a",
            "spiffe://prod/a/",
            "spiffe://prod//a",
            "spiffe://prod/a/../b",
            "spiffe://prod/./a",
            "spiffe://prod/a?x=1",
            "spiffe://prod/a#x",
            "spiffe://prod/a%2fb",
            "spiffe://prod/a b",
            "spiffe://prod/ä",
            "https://prod/a",
            "spiffe:/prod/a",
        ] {
            assert_eq!(trust_domain_of(bad), None, "{bad}");
        }
    }
}
