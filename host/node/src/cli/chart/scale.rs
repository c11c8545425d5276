//! Where a number is along an axis, and which numbers are worth a tick.

use std::ops::Range;

/// How numbers are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Spacing {
    /// From zero on; equal steps are equally far apart.
    Linear,
    /// Equal factors are equally far apart, from one power of ten to another.
    Logarithmic,
}

/// An axis.
pub(super) struct Scale {
    spacing: Spacing,
    low: f64,
    high: f64,
    /// Where the two are in the picture.
    span: Range<f64>,
}

/// About as many ticks a linear axis has.
const TICKS: f64 = 6.0;
/// With more powers of ten than this, nothing between them gets a tick.
const DECADES: f64 = 2.0;

impl Scale {
    /// An axis with room for these values; for those that it has no place for, there is none.
    pub(super) fn over(spacing: Spacing, values: impl Iterator<Item = f64>, span: Range<f64>) -> Self {
        let has_place =
            |value: &f64| value.is_finite() && (*value > 0.0 || spacing == Spacing::Linear && *value == 0.0);
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for value in values.filter(has_place) {
            (least, most) = (least.min(value), most.max(value));
        }
        let (low, high) = match spacing {
            // Of nothing, or of nothing but zeros, there is still an axis.
            Spacing::Linear => (0.0, if most > 0.0 { most } else { 1.0 }),
            Spacing::Logarithmic if most == 0.0 => (1.0, 10.0),
            Spacing::Logarithmic => {
                let (low, high) = (power(least.log10().floor()), power(most.log10().ceil()));
                (low, if high > low { high } else { low * 10.0 })
            }
        };
        Scale { spacing, low, high, span }
    }

    /// Where this value is, if it has a place.
    pub(super) fn place(&self, value: f64) -> Option<f64> {
        // A tick may be beyond the end by an error of rounding.
        let slack = 1e-9;
        let part = match self.spacing {
            Spacing::Linear => (value - self.low) / (self.high - self.low),
            Spacing::Logarithmic => (value / self.low).log10() / (self.high / self.low).log10(),
        };
        let place = self.span.start + part * (self.span.end - self.span.start);
        (-slack..=1.0 + slack).contains(&part).then_some(place)
    }

    /// Round numbers along the axis, from low to high.
    pub(super) fn ticks(&self) -> Vec<f64> {
        match self.spacing {
            Spacing::Linear => {
                let step = round_up(self.high / TICKS);
                steps(self.high / step).map(|number| number * step).collect()
            }
            Spacing::Logarithmic => {
                let decades = (self.high / self.low).log10().round();
                let between: &[f64] = if decades > DECADES { &[1.0] } else { &[1.0, 2.0, 5.0] };
                let ticks = steps(decades).flat_map(|decade| between.iter().map(move |factor| factor * power(decade)));
                ticks.map(|factor| factor * self.low).filter(|tick| *tick <= self.high * 1.001).collect()
            }
        }
    }
}

/// 0, 1, 2 and so on up to this.
fn steps(last: f64) -> impl Iterator<Item = f64> {
    (0..1_000).map(f64::from).take_while(move |number| *number <= last + 1e-9)
}

/// The next 1, 2 or 5 with zeros.
fn round_up(value: f64) -> f64 {
    let power = power(value.log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|factor| factor * power).find(|step| *step >= value).unwrap_or(10.0 * power)
}

fn power(exponent: f64) -> f64 {
    10.0_f64.powf(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(spacing: Spacing, values: &[f64]) -> Vec<String> {
        let scale = Scale::over(spacing, values.iter().copied(), 0.0..100.0);
        assert!(scale.ticks().iter().all(|tick| scale.place(*tick).is_some()), "every tick has a place");
        scale.ticks().iter().map(|tick| format!("{tick:.10}").trim_end_matches('0').to_owned()).collect()
    }

    #[test]
    fn ticks_are_round_and_cover_the_axis() {
        assert_eq!(ticks(Spacing::Linear, &[3.0, 200.0]), ["0.", "50.", "100.", "150.", "200."]);
        assert_eq!(ticks(Spacing::Linear, &[0.0]), ["0.", "0.2", "0.4", "0.6", "0.8", "1."]);
        assert_eq!(ticks(Spacing::Logarithmic, &[20.0, 700.0]), ["10.", "20.", "50.", "100.", "200.", "500.", "1000."]);
        assert_eq!(ticks(Spacing::Logarithmic, &[1.0, 999.0]), ["1.", "10.", "100.", "1000."]);
        assert_eq!(ticks(Spacing::Logarithmic, &[0.002]), ["0.001", "0.002", "0.005", "0.01"]);
        assert_eq!(ticks(Spacing::Logarithmic, &[1.0, 1.0]), ["1.", "2.", "5.", "10."]);
        assert_eq!(ticks(Spacing::Logarithmic, &[0.0, f64::NAN]), ["1.", "2.", "5.", "10."]);
    }

    #[test]
    fn places_are_between_the_ends() {
        let linear = Scale::over(Spacing::Linear, [50.0].into_iter(), 100.0..0.0);
        assert_eq!([0.0, 25.0, 50.0].map(|value| linear.place(value)), [Some(100.0), Some(50.0), Some(0.0)]);
        let logarithmic = Scale::over(Spacing::Logarithmic, [1.0, 100.0].into_iter(), 0.0..10.0);
        assert_eq!([1.0, 10.0, 100.0].map(|value| logarithmic.place(value)), [Some(0.0), Some(5.0), Some(10.0)]);
        for nowhere in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(logarithmic.place(nowhere), None, "{nowhere}");
        }
    }
}
