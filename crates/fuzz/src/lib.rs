//! Hostile inputs made from honest ones, for tests of everything that reads a stranger's bytes.
//!
//! Here lives the driver: it mutates seeds and kept inputs, runs a target on each, and saves the input that made it panic,
//! break its word or take too long. It works on stable Rust, and a run is the same for the same seed. A target is an
//! ordinary test beside the code it attacks, named `fuzz_...`: a few inputs whenever tests run, many by `cargo xtask fuzz`.
//! Never here: what any target means, or a dependency.

mod mutate;
mod rng;

use std::collections::HashSet;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use rng::Rng;

/// What a target says of one input: a number for what happened (inputs with a new one are mutated further), or how its word
/// was broken.
pub type Outcome = Result<u64, String>;

/// Inputs kept for further mutation.
const KEPT_MAX: usize = 4_096;
/// The longest input that is made.
const INPUT_BYTES_MAX: usize = 16 << 10;

/// A target with what it starts from.
pub struct Fuzz {
    name: &'static str,
    home: PathBuf,
    saved: PathBuf,
    seeds: Vec<Vec<u8>>,
    words: Vec<Vec<u8>>,
    smoke: u32,
    took_max: Duration,
}

impl Fuzz {
    /// A target of a crate (`env!("CARGO_MANIFEST_DIR")`). Inputs that once broke it are in the crate's `fuzz/NAME/` and
    /// are run first, always.
    #[must_use]
    pub fn new(name: &'static str, crate_dir: &str) -> Self {
        let crate_dir = Path::new(crate_dir);
        Self {
            name,
            home: crate_dir.join("fuzz").join(name),
            saved: crate_dir.join("../../target/fuzz").join(name),
            seeds: vec![Vec::new()],
            words: Vec::new(),
            smoke: 1_000,
            took_max: Duration::from_secs(2),
        }
    }

    /// An honest input to begin with.
    #[must_use]
    pub fn seed(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.seeds.push(bytes.as_ref().to_vec());
        self
    }

    /// Words that mean something to the target, put in here and there.
    #[must_use]
    pub fn words(mut self, words: &[&str]) -> Self {
        self.words
            .extend(words.iter().map(|word| word.as_bytes().to_vec()));
        self
    }

    /// How many inputs a plain test run makes.
    #[must_use]
    pub fn smoke(mut self, inputs: u32) -> Self {
        self.smoke = inputs;
        self
    }

    /// Runs the target: on what is kept, on the seeds, then on what is made of them. The random numbers that it gets are
    /// drawn from the input, so that an input alone repeats what was seen.
    ///
    /// # Panics
    /// When an input broke the target; the message says where it was saved.
    #[allow(clippy::panic, clippy::print_stdout, reason = "this is a test")]
    pub fn run(mut self, target: impl Fn(&[u8], &mut Rng) -> Outcome) {
        let kept = self.kept();
        self.seeds.extend(kept);
        let plan = Plan::from_environment(self.smoke);
        let mut rng = Rng::new(plan.seed);
        let mut outcomes = HashSet::new();
        let mut corpus = std::mem::take(&mut self.seeds);
        for input in &corpus {
            outcomes.insert(self.one(input, &target));
        }
        let started = Instant::now();
        let mut made = 0_u64;
        while !plan.is_over(made, started) {
            made = made.saturating_add(1);
            let input = mutate::mutated(&corpus, &self.words, INPUT_BYTES_MAX, &mut rng);
            if outcomes.insert(self.one(&input, &target)) && corpus.len() < KEPT_MAX {
                corpus.push(input);
            }
        }
        println!(
            "{}: {made} inputs in {:.1} s, {} outcomes, seed {}",
            self.name,
            started.elapsed().as_secs_f64(),
            outcomes.len(),
            plan.seed
        );
    }

    #[allow(clippy::panic, reason = "this is a test")]
    fn one(&self, input: &[u8], target: &impl Fn(&[u8], &mut Rng) -> Outcome) -> u64 {
        let started = Instant::now();
        let mut rng = Rng::new(digest(input));
        let ran = catch_unwind(AssertUnwindSafe(|| target(input, &mut rng)));
        let broken = match ran {
            Ok(Ok(_)) if started.elapsed() > self.took_max => {
                format!("it took {:?}", started.elapsed())
            }
            Ok(Ok(outcome)) => return outcome,
            Ok(Err(broken)) => broken,
            Err(_) => "it panicked, see above".to_owned(),
        };
        let file = self.saved.join(format!("{:016x}", digest(input)));
        let saved = fs::create_dir_all(&self.saved).and_then(|()| fs::write(&file, input));
        panic!(
            "{}: {broken}\nthe input ({saved:?}): {}\nonce mended, keep it in {}",
            self.name,
            file.display(),
            self.home.display()
        );
    }

    /// Inputs that once broke the target, in the order of their names.
    #[allow(clippy::expect_used, reason = "this is a test")]
    fn kept(&self) -> Vec<Vec<u8>> {
        let Ok(files) = fs::read_dir(&self.home) else {
            return Vec::new();
        };
        let mut paths: Vec<PathBuf> = files
            .map(|file| file.expect("a kept input can be listed").path())
            .collect();
        paths.sort();
        let read = |path| fs::read(path).expect("a kept input can be read");
        paths.into_iter().map(read).collect()
    }
}

/// How long to go on.
struct Plan {
    seed: u64,
    inputs: Option<u32>,
    time: Duration,
}

impl Plan {
    #[allow(clippy::expect_used, reason = "this is a test")]
    fn from_environment(smoke: u32) -> Self {
        let number = |name: &str| {
            let text = std::env::var(name).ok()?;
            Some(text.parse::<u64>().expect("a whole number"))
        };
        let seconds = number("BRATTICE_FUZZ_SECONDS");
        Self {
            seed: number("BRATTICE_FUZZ_SEED").unwrap_or(1),
            inputs: seconds.is_none().then_some(smoke),
            time: Duration::from_secs(seconds.unwrap_or(0)),
        }
    }

    fn is_over(&self, made: u64, started: Instant) -> bool {
        match self.inputs {
            Some(inputs) => made >= u64::from(inputs),
            None => started.elapsed() >= self.time,
        }
    }
}

/// A number for a value, the same in every run of one build.
pub fn digest(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn fails(home: &Path, target: impl Fn(&[u8], &mut Rng) -> Outcome) -> String {
        let mut fuzz = Fuzz::new("own", "/nowhere")
            .seed("an honest input")
            .smoke(20_000);
        fuzz.saved = home.to_owned();
        fuzz.home = home.join("kept");
        let panicked = catch_unwind(AssertUnwindSafe(|| fuzz.run(target))).unwrap_err();
        panicked.downcast_ref::<String>().unwrap().clone()
    }

    #[test]
    fn finds_and_saves_what_only_several_mutations_reach() {
        let home = std::env::temp_dir().join(format!("brattice-fuzz-{}", std::process::id()));
        let depth = |input: &[u8]| {
            b"\xff\x00\x7f"
                .iter()
                .zip(input)
                .take_while(|(a, b)| a == b)
                .count()
        };
        let said = fails(&home, |input, _| match depth(input) {
            3 => Err("found".to_owned()),
            depth => Ok(depth as u64),
        });
        assert!(said.contains("found"), "{said}");
        let saved: Vec<_> = fs::read_dir(&home).unwrap().collect();
        assert_eq!(saved.len(), 1);
        let bytes = fs::read(saved[0].as_ref().unwrap().path()).unwrap();
        assert_eq!(depth(&bytes), 3);
        fs::remove_dir_all(&home).unwrap();
    }

    #[test]
    fn a_panic_is_a_finding() {
        let home = std::env::temp_dir().join(format!("brattice-fuzz-p{}", std::process::id()));
        let said = fails(&home, |input, _| {
            assert!(input.len() < 20, "too long for me");
            Ok(0)
        });
        assert!(said.contains("panicked"), "{said}");
        fs::remove_dir_all(&home).unwrap();
    }

    #[test]
    fn makes_the_same_inputs_from_the_same_seed() {
        let made = || {
            let all = std::cell::RefCell::new(Vec::new());
            Fuzz::new("own", "/nowhere")
                .seed("an honest input")
                .smoke(200)
                .run(|input, _| {
                    all.borrow_mut().push(input.to_vec());
                    Ok(digest(input) % 7)
                });
            all.into_inner()
        };
        assert_eq!(made(), made());
    }
}
