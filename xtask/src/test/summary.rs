//! Reading how many tests passed and failed from what the runner printed.

/// Tests that ran.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
}

/// Sums up every summary line, and gives the last one as it was.
pub fn read(lines: &[String]) -> (Counts, Option<String>) {
    let mut counts = Counts::default();
    let mut last = None;
    for line in lines {
        let Some(numbers) = nextest(line).or_else(|| cargo(line)) else {
            continue;
        };
        for part in without_parentheses(numbers).split([',', ';']) {
            let mut words = part.split_whitespace();
            let Some(number) = words.next().and_then(|word| word.parse::<u64>().ok()) else {
                continue;
            };
            match words.collect::<Vec<_>>().join(" ").as_str() {
                "passed" => counts.passed += number,
                "failed" | "timed out" | "exec failed" => counts.failed += number,
                _ => {}
            }
        }
        last = Some(line.trim().to_owned());
    }
    (counts, last)
}

/// `Summary [   0.5s] 21 tests run: 20 passed (1 slow), 1 failed, 0 skipped`
fn nextest(line: &str) -> Option<&str> {
    let (_, numbers) = line
        .trim_start()
        .strip_prefix("Summary [")?
        .split_once(" run: ")?;
    Some(numbers)
}

/// `test result: ok. 19 passed; 0 failed; 0 ignored; …`
fn cargo(line: &str) -> Option<&str> {
    let (_, numbers) = line
        .trim_start()
        .strip_prefix("test result: ")?
        .split_once(". ")?;
    Some(numbers)
}

fn without_parentheses(text: &str) -> String {
    let mut depth = 0u32;
    text.chars()
        .filter(|c| {
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => return depth == 0,
            }
            false
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(line: &str) -> (u64, u64) {
        let (counts, _) = read(&[line.to_owned()]);
        (counts.passed, counts.failed)
    }

    #[test]
    fn reads_nextest() {
        assert_eq!(
            counts("     Summary [   0.032s] 21 tests run: 21 passed, 0 skipped"),
            (21, 0)
        );
        assert_eq!(
            counts(
                "  Summary [ 90.1s] 9 tests run: 5 passed (1 slow, 2 leaky), 3 failed, 1 timed out, 7 skipped"
            ),
            (5, 4)
        );
        assert_eq!(
            counts("  Summary [ 90.1s] 3/9 tests run: 2 passed, 1 failed, 7 skipped"),
            (2, 1)
        );
        assert_eq!(
            counts("  Summary [ 0.1s] 1 test run: 1 passed, 0 skipped"),
            (1, 0)
        );
    }

    #[test]
    fn adds_up_cargo_test() {
        let lines = [
            "test result: ok. 19 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "something else: 4 passed",
            "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
        ]
        .map(str::to_owned);
        let (counts, last) = read(&lines);
        assert_eq!(
            counts,
            Counts {
                passed: 21,
                failed: 1
            }
        );
        assert!(last.unwrap().starts_with("test result: FAILED"));
    }
}
