//! Values that are made of digits: payment cards, social security numbers, IBANs, telephone numbers, IPv4.
//!
//! Lives here: cutting runs of digits into groups, and which groups make a value. Never: checksums.

use super::{cards, iban};
use crate::mask::classes::Finder;
use std::ops::Range;

/// Fewer digits make none of these: the shortest is `1.1.1.1`.
pub(crate) const DIGITS_MIN: usize = 4;
/// Groups of one run that are looked at together; a longer run is looked at piece by piece.
const GROUPS_MAX: usize = 12;
/// How many of them the next piece begins with: one fewer than the most groups of a value.
const GROUPS_SHARED: usize = 4;
/// The fewest digits of a telephone number.
const PHONE_DIGITS_MIN: usize = 8;
const SSN_DIGITS: usize = 9;

/// Digits without anything between them.
#[derive(Debug, Clone, Copy, Default)]
struct Group {
    start: usize,
    end: usize,
    /// What stands between it and the next group of the run; 0 when that is not one single separator.
    joint: u8,
}

impl Group {
    fn length(self) -> usize {
        self.end - self.start
    }
}

/// What a run amounts to, before its groups are kept: most are dates, numbers and parts of hashes.
struct Shape {
    digits: usize,
    groups: usize,
    dots: usize,
    /// A group of three: social security and American telephone numbers begin with one.
    three: bool,
    plus: bool,
    end: usize,
}

impl Shape {
    /// It can be none of these values.
    fn is_idle(&self) -> bool {
        let long = self.digits >= cards::DIGITS_MIN;
        let grouped = self.three && self.groups >= 3 && self.digits >= SSN_DIGITS;
        let called = self.plus && self.digits >= PHONE_DIGITS_MIN;
        !(long || grouped || called || self.dots >= 3)
    }
}

fn shape(bytes: &[u8], start: usize) -> Shape {
    let plus = start.checked_sub(1).and_then(|i| bytes.get(i)) == Some(&b'+');
    let mut shape = Shape {
        digits: 0,
        groups: 1,
        dots: 0,
        three: false,
        plus,
        end: start,
    };
    let (mut gap, mut length) = (0, 0);
    for (i, b) in bytes.get(start..).unwrap_or_default().iter().enumerate() {
        if b.is_ascii_digit() {
            if gap > 0 {
                shape.groups += 1;
                (gap, length) = (0, 0);
            }
            shape.digits += 1;
            length += 1;
            shape.end = start + i + 1;
        } else if gap < 2 && is_separator(*b) {
            shape.three |= length == 3;
            shape.dots += usize::from(*b == b'.');
            gap += 1;
        } else {
            break;
        }
    }
    shape
}

/// Groups that follow each other, on the stack: this is the busiest of the detectors.
struct Run {
    groups: [Group; GROUPS_MAX],
    count: usize,
    digits: usize,
    dots: usize,
    end: usize,
}

impl Run {
    fn groups(&self) -> &[Group] {
        self.groups.get(..self.count).unwrap_or_default()
    }
}

/// Calls `hit` for every value that is found.
///
/// A value begins where a word begins: digits inside a word, as hashes and identifiers have them, are stepped over. Nothing
/// is found without a digit, so only words with one are looked at.
pub(crate) fn find(bytes: &[u8], mut hit: impl FnMut(Finder, Range<usize>)) {
    // What lies before `done` belongs to values and runs that were judged; words that begin before `at` are.
    let (mut at, mut done) = (0, 0);
    // Up to there goes the run that was looked at last: a long one is judged piece by piece, and looked through once.
    let mut shaped = 0;
    while let Some(digit) = next_digit(bytes, at) {
        let letters = letters_before(bytes, digit);
        if letters > 0 {
            let begins = digit - letters >= at;
            at = match iban_at(bytes, digit).filter(|_| letters == 2 && begins) {
                Some(range) => {
                    done = range.end;
                    hit(Finder::Iban, range);
                    done
                }
                None => word_end(bytes, digit),
            };
            continue;
        }
        let start = glued_before(bytes, digit, done);
        if start >= shaped {
            let shape = shape(bytes, start);
            shaped = shape.end;
            if shape.is_idle() {
                (at, done) = (shape.end, shape.end);
                continue;
            }
        }
        let run = run(bytes, start);
        done = run.end;
        judge(bytes, &run, &mut hit);
        at = done;
    }
}

/// Letters and digits: what makes words.
static IN_WORD: [bool; 256] = {
    let mut table = [false; 256];
    let mut b = 0;
    while b < 256 {
        #[expect(
            clippy::indexing_slicing,
            reason = "a constant loop over the table's own length"
        )]
        {
            table[b] = (b as u8).is_ascii_alphanumeric();
        }
        b += 1;
    }
    table
};

fn in_word(b: &u8) -> bool {
    IN_WORD.get(usize::from(*b)).copied().unwrap_or_default()
}

/// The next decimal digit.
fn next_digit(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    let (eights, _) = rest.as_chunks::<8>();
    for (i, eight) in eights.iter().enumerate() {
        let marks = digit_marks(*eight);
        if marks != 0 {
            return Some(from + i * 8 + marks.trailing_zeros() as usize / 8);
        }
    }
    let tail = eights.len() * 8;
    let found = rest.get(tail..)?.iter().position(u8::is_ascii_digit)?;
    Some(from + tail + found)
}

/// The highest bit of each byte that is a decimal digit, the first byte lowest.
fn digit_marks(eight: [u8; 8]) -> u64 {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // Digits become 0 to 9; what is more carries into the highest bit of its byte, and no further.
    let values = u64::from_le_bytes(eight) ^ 0x3030_3030_3030_3030;
    let others = ((values & !HIGH) + 0x7676_7676_7676_7676) | values;
    !others & HIGH
}

/// How many letters and digits stand right before a place: 3 where there are more.
fn letters_before(bytes: &[u8], at: usize) -> usize {
    let before = bytes.get(at.saturating_sub(3)..at).unwrap_or_default();
    before.iter().rev().take_while(|b| in_word(b)).count()
}

fn word_end(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    let length = rest.iter().position(|b| !in_word(b));
    from + length.unwrap_or(rest.len())
}

/// Where the run of a word of digits begins: with it, or with digits that end another word one or two separators before
/// it. No value begins with those, but what stands before a value tells what it is not.
fn glued_before(bytes: &[u8], word: usize, done: usize) -> usize {
    let before = bytes.get(done..word).unwrap_or_default();
    let gap = before
        .iter()
        .rev()
        .take_while(|b| is_separator(**b))
        .count();
    let rest = before.get(..before.len() - gap).unwrap_or_default();
    let length = rest.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    if length == 0 || !(1..=2).contains(&gap) {
        return word;
    }
    word - gap - length
}

/// An IBAN whose check digits begin here.
fn iban_at(bytes: &[u8], digit: usize) -> Option<Range<usize>> {
    let start = digit.checked_sub(2)?;
    let letters = bytes.get(start..digit)?.iter().all(u8::is_ascii_alphabetic);
    let free = start == 0 || !bytes.get(start - 1).is_some_and(u8::is_ascii_alphanumeric);
    let second = matches!(bytes.get(digit..digit + 2), Some([a, b]) if a.is_ascii_digit() && b.is_ascii_digit());
    if !(letters && free && second) {
        return None;
    }
    iban::end(bytes, start).map(|end| start..end)
}

/// Cuts a run into groups. One or two separators join groups.
fn run(bytes: &[u8], start: usize) -> Run {
    let mut run = Run {
        groups: [Group::default(); GROUPS_MAX],
        count: 0,
        digits: 0,
        dots: 0,
        end: start,
    };
    for group in &mut run.groups {
        let rest = bytes.get(run.end..).unwrap_or_default();
        let length = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let end = run.end + length;
        *group = Group {
            start: run.end,
            end,
            joint: 0,
        };
        run.count += 1;
        run.digits += length;
        run.end = end;
        let tail = rest.get(length..).unwrap_or_default();
        let gap = tail
            .iter()
            .take(2)
            .take_while(|b| is_separator(**b))
            .count();
        if gap == 0 || !tail.get(gap).is_some_and(u8::is_ascii_digit) {
            return run;
        }
        if let (1, Some(b)) = (gap, tail.first()) {
            group.joint = *b;
            run.dots += usize::from(*b == b'.');
        }
        run.end = end + gap;
    }
    // There is more: the next piece begins with the last groups of this one.
    if let Some(group) = run.groups.get(GROUPS_MAX - GROUPS_SHARED) {
        run.end = group.start;
    }
    run
}

fn is_separator(b: u8) -> bool {
    matches!(b, b' ' | b'-' | b'.' | b'(' | b')' | b'/')
}

/// What a run of so many digits cannot be is not asked.
fn judge(bytes: &[u8], run: &Run, hit: &mut impl FnMut(Finder, Range<usize>)) {
    let groups = run.groups();
    let (may_card, may_ssn, may_ipv4) = (
        run.digits >= cards::DIGITS_MIN,
        run.digits >= SSN_DIGITS && run.count >= 3,
        run.dots >= 3,
    );
    if may_card || may_ssn || may_ipv4 {
        let mut at = 0;
        while let Some(rest) = groups.get(at..).filter(|r| !r.is_empty()) {
            let before = at.checked_sub(1).and_then(|i| groups.get(i));
            let card = || card(bytes, before, rest).map(|n| (Finder::PaymentCard, n));
            let ssn = || ssn(bytes, before, rest).map(|n| (Finder::UsSsn, n));
            let ipv4 = || ipv4(bytes, before, rest).map(|n| (Finder::IpAddress, n));
            let found = may_card.then(card).flatten();
            let found = found.or_else(|| may_ssn.then(ssn).flatten());
            let found = found.or_else(|| may_ipv4.then(ipv4).flatten());
            at += match found {
                Some((finder, taken)) => {
                    if let (Some(first), Some(last)) = (rest.first(), rest.get(taken - 1)) {
                        hit(finder, first.start..last.end);
                    }
                    taken
                }
                None => 1,
            };
        }
    }
    if let Some(range) = phone(bytes, run) {
        hit(Finder::Phone, range);
    }
}

/// No letter or digit touches the range.
fn stands_free(bytes: &[u8], start: usize, end: usize) -> bool {
    let glued = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    !glued(start.checked_sub(1).and_then(|i| bytes.get(i))) && !glued(bytes.get(end))
}

fn text(bytes: &[u8], groups: &[Group]) -> Vec<u8> {
    groups
        .iter()
        .filter_map(|g| bytes.get(g.start..g.end))
        .flatten()
        .copied()
        .collect()
}

/// How many groups from the first make a card number: one, or groups as cards are printed.
fn card(bytes: &[u8], before: Option<&Group>, groups: &[Group]) -> Option<usize> {
    const PRINTED: &[&[usize]] = &[
        &[4, 4, 4, 4],
        &[4, 6, 5],
        &[4, 6, 4],
        &[4, 4, 4, 4, 3],
        &[4, 4, 4, 1],
        &[4, 4, 4, 2],
        &[4, 4, 5],
        &[6, 13],
        &[8, 8],
    ];
    let first = groups.first()?;
    // The fraction of a number is no card.
    if before.is_some_and(|b| b.joint == b'.') {
        return None;
    }
    if cards::DIGITS.contains(&first.length()) && stands_free(bytes, first.start, first.end) {
        return cards::is_card(bytes.get(first.start..first.end)?).then_some(1);
    }
    for shape in PRINTED {
        let Some(taken) = groups.get(..shape.len()) else {
            continue;
        };
        let (Some(last), joint) = (taken.last(), first.joint) else {
            continue;
        };
        let uniform = taken.iter().take(shape.len() - 1).all(|g| g.joint == joint)
            && matches!(joint, b' ' | b'-' | b'.');
        let fits = taken.iter().zip(*shape).all(|(g, n)| g.length() == *n);
        // A longer printed shape goes on; `4 4 4 4` is tried before `4 4 4 4 3`, so both are asked.
        if uniform
            && fits
            && stands_free(bytes, first.start, last.end)
            && cards::is_card(&text(bytes, taken))
        {
            return Some(shape.len());
        }
    }
    None
}

/// `123-45-6789`, never issued ranges left out (areas 000, 666 and 900 up, group 00, serial 0000).
fn ssn(bytes: &[u8], before: Option<&Group>, groups: &[Group]) -> Option<usize> {
    let [area, group, serial] = groups.get(..3)? else {
        return None;
    };
    let joint = area.joint;
    let fits = (area.length(), group.length(), serial.length()) == (3, 2, 4);
    if !fits || group.joint != joint || !matches!(joint, b'-' | b' ' | b'.') {
        return None;
    }
    let apart = before.is_none_or(|b| b.joint != joint) && serial.joint != joint;
    if !apart || !stands_free(bytes, area.start, serial.end) {
        return None;
    }
    let number = |g: &Group| {
        text(bytes, &[*g])
            .iter()
            .fold(0_u32, |n, d| n * 10 + u32::from(d.wrapping_sub(b'0')))
    };
    let area = number(area);
    let issued =
        area != 0 && area != 666 && area < 900 && number(group) != 0 && number(serial) != 0;
    issued.then_some(3)
}

fn ipv4(bytes: &[u8], before: Option<&Group>, groups: &[Group]) -> Option<usize> {
    let taken = groups.get(..4)?;
    let dotted = taken.iter().take(3).all(|g| g.joint == b'.');
    let (first, last) = (taken.first()?, taken.last()?);
    if !dotted
        || last.joint == b'.'
        || before.is_some_and(|b| b.joint == b'.')
        || !stands_free(bytes, first.start, last.end)
    {
        return None;
    }
    let address = std::str::from_utf8(bytes.get(first.start..last.end)?).ok()?;
    address.parse::<std::net::Ipv4Addr>().is_ok().then_some(4)
}

/// `+` and 8 to 15 digits (E.164), or the North American `(555) 123-4567`.
fn phone(bytes: &[u8], run: &Run) -> Option<Range<usize>> {
    let groups = run.groups();
    let (first, last) = (groups.first()?, groups.last()?);
    if run.digits < PHONE_DIGITS_MIN || !stands_free(bytes, first.start, last.end) {
        return None;
    }
    let prefix = first.start.checked_sub(1).and_then(|i| bytes.get(i));
    if prefix == Some(&b'+') && (PHONE_DIGITS_MIN..=15).contains(&run.digits) {
        return Some(first.start - 1..last.end);
    }
    let national = match groups {
        [country, rest @ ..] if country.length() == 1 => rest,
        all => all,
    };
    let american =
        national.len() == 3 && national.iter().zip([3, 3, 4]).all(|(g, n)| g.length() == n);
    american.then_some(first.start..last.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same by looking at every digit.
    fn find_slowly(bytes: &[u8], mut hit: impl FnMut(Finder, Range<usize>)) {
        let mut at = 0;
        while let Some(length) = bytes
            .get(at..)
            .and_then(|rest| rest.iter().position(u8::is_ascii_digit))
        {
            let start = at + length;
            if let Some(range) = iban_at(bytes, start) {
                at = range.end;
                hit(Finder::Iban, range);
                continue;
            }
            let run = run(bytes, start);
            at = run.end;
            judge(bytes, &run, &mut hit);
        }
    }

    #[test]
    fn long_runs_of_numbers_take_time_by_their_length() {
        for piece in ["1.1.1 ", "1-", "1.", "4111 1111 "] {
            let text = piece.repeat((1 << 20) / piece.len());
            let begun = std::time::Instant::now();
            find(text.as_bytes(), |_, _| ());
            // Looked through again for each piece, it would take minutes.
            assert!(begun.elapsed().as_secs() < 10, "{piece}");
        }
    }

    #[test]
    fn stepping_over_words_finds_what_looking_at_every_digit_finds() {
        const PIECES: &[&str] = &[
            "4111111111111111",
            "4111 1111 1111 1111",
            "5500-0000-0000-0004",
            "219-09-9991",
            "10.20.30.40",
            "+49 30 901820",
            "(555) 123-4567",
            "DE89370400440532013000",
            "DE89 3704 0044 0532 0130 00",
            "1",
            "23",
            "7.5",
            "a",
            "ab",
            "f00d",
            "é",
            "_",
            "-",
            " ",
            ".",
            "/",
            ",",
            "(",
            "00",
            "123456789",
        ];
        // A plain generator: the same texts each time.
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut next = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % 1_000_003).unwrap_or_default() % below
        };
        for _ in 0..60_000 {
            let count = 1 + next(9);
            let text: String = (0..count)
                .filter_map(|_| PIECES.get(next(PIECES.len())))
                .copied()
                .collect();
            let (mut quick, mut slow) = (Vec::new(), Vec::new());
            find(text.as_bytes(), |f, r| quick.push((f, r)));
            find_slowly(text.as_bytes(), |f, r| slow.push((f, r)));
            assert_eq!(quick, slow, "{text:?}");
        }
    }
}
