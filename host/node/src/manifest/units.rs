//! Sizes, times and the words that may stand in their place, as a manifest and the command line write them.
//!
//! Owns their grammar. Never judges whether a value makes sense where it stands: `check` does.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use skep_runtime::kernel::pid::NUMBER_LIMIT;
use skep_runtime::kernel::supervisor::Shutdown;
use skep_runtime::spec::Keep;

/// A number of bytes: an integer, or text such as `"64MiB"` or `"10kB"`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size(pub u64);

/// What a size may end with. The binary units count in 1024, the decimal ones in 1000.
const SIZE_UNITS: [(&str, u64); 7] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

impl FromStr for Size {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANTED: &str = "a size is a whole number of bytes, or text such as \"64MiB\", \"10kB\" or \"1GB\"";
        let text = text.trim();
        let (digits, factor) = SIZE_UNITS
            .iter()
            .find_map(|(unit, factor)| text.strip_suffix(unit).map(|digits| (digits, *factor)))
            .unwrap_or((text, 1));
        whole(digits).and_then(|number| number.checked_mul(factor)).map(Size).ok_or(WANTED)
    }
}

/// `64MiB`: with the largest unit that leaves a whole number.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, factor): &&(&str, u64)| self.0 > 0 && self.0.is_multiple_of(*factor);
        match SIZE_UNITS.iter().filter(fits).max_by_key(|(_, factor)| *factor) {
            Some((unit, factor)) => write!(f, "{}{unit}", self.0 / factor),
            None => write!(f, "{}B", self.0),
        }
    }
}

/// A time: an integer of milliseconds, or text such as `"5s"` or `"250ms"`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Time(pub Duration);

/// What a time may end with, in milliseconds. `ms` comes before `s`, which it ends with.
const TIME_UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

impl Time {
    fn from_ms(ms: u64) -> Result<Self, &'static str> {
        if ms < NUMBER_LIMIT {
            Ok(Time(Duration::from_millis(ms)))
        } else {
            Err("a time is less than 2^53 milliseconds")
        }
    }
}

/// `5s`: with the largest unit that leaves a whole number. What is below a millisecond is not shown.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis();
        let fits = |(_, factor): &&(&str, u64)| ms > 0 && ms.is_multiple_of(u128::from(*factor));
        match TIME_UNITS.iter().filter(fits).max_by_key(|(_, factor)| *factor) {
            Some((unit, factor)) => write!(f, "{}{unit}", ms / u128::from(*factor)),
            None => write!(f, "{ms}ms"),
        }
    }
}

impl FromStr for Time {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANTED: &str =
            "a time is a whole number of milliseconds, or text such as \"250ms\", \"5s\", \"2m\" or \"1h\"";
        let text = text.trim();
        let (digits, factor) = TIME_UNITS
            .iter()
            .find_map(|(unit, factor)| text.strip_suffix(unit).map(|digits| (digits, *factor)))
            .unwrap_or((text, 1));
        let ms = whole(digits).and_then(|number| number.checked_mul(factor)).ok_or(WANTED)?;
        Time::from_ms(ms)
    }
}

/// A whole number; underscores may divide it, as in TOML.
fn whole(text: &str) -> Option<u64> {
    let text = text.trim_end();
    let sound = text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(|c| c.is_ascii_digit() || c == '_');
    if sound { text.replace('_', "").parse().ok() } else { None }
}

/// How a child is stopped: a time, `"brutal_kill"` or `"infinity"`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShutdownWord(pub Shutdown);

impl FromStr for ShutdownWord {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "brutal_kill" => Ok(ShutdownWord(Shutdown::BrutalKill)),
            "infinity" => Ok(ShutdownWord(Shutdown::Infinity)),
            _ => text.parse::<Time>().map(Self::from).map_err(|_| {
                "`shutdown` is \"brutal_kill\", \"infinity\", or a time to wait: milliseconds, or text such as \"5s\""
            }),
        }
    }
}

impl fmt::Display for ShutdownWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Shutdown::BrutalKill => f.write_str("brutal_kill"),
            Shutdown::Infinity => f.write_str("infinity"),
            Shutdown::Timeout(time) => Time(time).fmt(f),
        }
    }
}

impl From<Time> for ShutdownWord {
    fn from(time: Time) -> Self {
        ShutdownWord(Shutdown::Timeout(time.0))
    }
}

/// When a waiting process gives its instance back: a time, `"always"` or `"never"`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HibernateAfter(pub Keep);

impl FromStr for HibernateAfter {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "always" => Ok(HibernateAfter(Keep::Never)),
            "never" => Ok(HibernateAfter(Keep::WhileItFits)),
            _ => text.parse::<Time>().map(Self::from).map_err(
                |_| "`hibernate_after` is \"always\", \"never\", or a time: milliseconds, or text such as \"30s\"",
            ),
        }
    }
}

impl fmt::Display for HibernateAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Keep::Never => f.write_str("always"),
            Keep::WhileItFits | Keep::Pinned => f.write_str("never"),
            Keep::For(time) => Time(time).fmt(f),
        }
    }
}

impl From<Time> for HibernateAfter {
    fn from(time: Time) -> Self {
        HibernateAfter(Keep::For(time.0))
    }
}

/// Reads an integer by one function and text by another; `W` is what both make.
struct NumberOrText<W> {
    expected: &'static str,
    number: fn(u64) -> Result<W, &'static str>,
}

impl<W: FromStr<Err = &'static str>> Visitor<'_> for NumberOrText<W> {
    type Value = W;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<W, E> {
        (self.number)(number).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<W, E> {
        let number = u64::try_from(number).map_err(|_| E::invalid_value(de::Unexpected::Signed(number), &self))?;
        self.visit_u64(number)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<W, E> {
        text.parse().map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(NumberOrText {
            expected: "a size in bytes, or text such as \"64MiB\"",
            number: |n| Ok(Size(n)),
        })
    }
}

impl<'de> Deserialize<'de> for ShutdownWord {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let expected = "\"brutal_kill\", \"infinity\", milliseconds, or text such as \"5s\"";
        from.deserialize_any(NumberOrText { expected, number: |ms| Time::from_ms(ms).map(Self::from) })
    }
}

impl<'de> Deserialize<'de> for HibernateAfter {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let expected = "\"always\", \"never\", milliseconds, or text such as \"30s\"";
        from.deserialize_any(NumberOrText { expected, number: |ms| Time::from_ms(ms).map(Self::from) })
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(NumberOrText { expected: "milliseconds, or text such as \"5s\"", number: Time::from_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_decimal_and_binary_units() {
        let cases = [
            ("0", 0),
            ("1_000", 1_000),
            ("7B", 7),
            ("10kB", 10_000),
            ("64 MiB", 64 << 20),
            ("2GiB", 2 << 30),
            ("3MB", 3_000_000),
            ("1KiB", 1024),
            ("1GB", 1_000_000_000),
        ];
        for (text, bytes) in cases {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        for bad in ["", "MiB", "-1", "1.5MiB", "64mib", "64M", "_1", "99999999999GiB", "1e3", "B7"] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
    }

    #[test]
    fn times_have_units() {
        let cases = [
            ("0", 0),
            ("250", 250),
            ("250ms", 250),
            ("5s", 5_000),
            ("2 m", 120_000),
            ("1h", 3_600_000),
            ("30d", 2_592_000_000),
        ];
        for (text, ms) in cases {
            assert_eq!(text.parse(), Ok(Time(Duration::from_millis(ms))), "{text}");
        }
        for bad in ["", "s", "-5s", "5 sec", "1.5s", "9007199254740992", "9007199254740991h", "1w"] {
            assert!(bad.parse::<Time>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_written_can_be_read_again() {
        for (bytes, text) in
            [(0, "0B"), (1, "1B"), (1024, "1KiB"), (10_000, "10kB"), (16 << 20, "16MiB"), (1025, "1025B")]
        {
            assert_eq!(Size(bytes).to_string(), text);
            assert_eq!(text.parse(), Ok(Size(bytes)));
        }
        for (ms, text) in
            [(0, "0ms"), (250, "250ms"), (5_000, "5s"), (90_000, "90s"), (7_200_000, "2h"), (172_800_000, "2d")]
        {
            let time = Time(Duration::from_millis(ms));
            assert_eq!(time.to_string(), text);
            assert_eq!(text.parse(), Ok(time));
        }
        for text in ["brutal_kill", "infinity", "5s"] {
            assert_eq!(text.parse::<ShutdownWord>().map(|word| word.to_string()), Ok(text.to_owned()));
        }
        for text in ["always", "never", "30s"] {
            assert_eq!(text.parse::<HibernateAfter>().map(|word| word.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn words_stand_in_for_times() {
        let five = Duration::from_secs(5);
        assert_eq!("brutal_kill".parse(), Ok(ShutdownWord(Shutdown::BrutalKill)));
        assert_eq!("infinity".parse(), Ok(ShutdownWord(Shutdown::Infinity)));
        assert_eq!("5s".parse(), Ok(ShutdownWord(Shutdown::Timeout(five))));
        assert!("brutal-kill".parse::<ShutdownWord>().expect_err("it is misspelt").contains("brutal_kill"));
        assert_eq!("always".parse(), Ok(HibernateAfter(Keep::Never)));
        assert_eq!("never".parse(), Ok(HibernateAfter(Keep::WhileItFits)));
        assert_eq!("5s".parse(), Ok(HibernateAfter(Keep::For(five))));
        assert!("sometimes".parse::<HibernateAfter>().is_err());
    }
}
