//! Where AWS answers in a region.
//!
//! Lives here: names of hosts. Never: a request, an address that the operators give.

/// The partitions whose hosts end in something else, by how their regions begin.
const SUFFIXES: [(&str, &str); 6] = [
    ("cn-", "amazonaws.com.cn"),
    ("eusc-", "amazonaws.eu"),
    ("us-iso-", "c2s.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
    ("us-isof-", "csp.hci.ic.gov"),
];
/// The longest name of a region.
const REGION_BYTES_MAX: usize = 40;

/// Whether this is formed as the name of a region is: `eu-central-1`.
pub fn is_region(text: &str) -> bool {
    let mut parts = text.rsplit('-');
    let number = parts.next().unwrap_or_default();
    let words: Vec<&str> = parts.collect();
    let is = |part: &str, good: fn(&u8) -> bool| !part.is_empty() && part.bytes().all(|b| good(&b));
    text.len() <= REGION_BYTES_MAX
        && is(number, u8::is_ascii_digit)
        && words.len() >= 2
        && words.into_iter().all(|w| is(w, u8::is_ascii_lowercase))
}

/// A service's own address in a region.
pub(super) fn address(service: &str, region: &str) -> String {
    let suffix = SUFFIXES
        .iter()
        .find(|(begins, _)| region.starts_with(begins))
        .map_or("amazonaws.com", |(_, suffix)| suffix);
    format!("https://{service}.{region}.{suffix}")
}
