//! Puts images through the tensor checks, for `cargo xtask digits`.
//!
//! Reads one image of 8 × 8 values a line, the values with blanks between. Without arguments it prints
//! each image's share of energy in high frequencies and its share of flat places; with a mean and a
//! tolerance of the one and a least of the other it prints the ids of what the checks found in each image,
//! with commas between, or `-`.

use std::{
    env,
    error::Error,
    io::{self, BufRead as _, Write as _},
};

use modelgate_detect::{
    Flatness, HighFrequency, TensorLimits, TensorView, check_tensor, flat_shares, high_frequency_shares,
};

const SHAPE: [usize; 3] = [1, 8, 8];
/// The images hold whole numbers: less than one is flat.
const FLOOR: f64 = 0.01;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = env::args().skip(1).map(|value| value.parse()).collect::<Result<Vec<f64>, _>>()?;
    let (high_frequency, flatness) = match arguments[..] {
        [] => (None, None),
        [mean, tolerance, min_share] => (
            Some(HighFrequency { mean, tolerance, axes: 2 }),
            Some(Flatness { floor: FLOOR, min_share, axes: 2 }),
        ),
        _ => return Err("takes no arguments, or a mean, a tolerance and a least share".into()),
    };
    let limits = TensorLimits {
        min_value: Some(0.0),
        max_value: Some(16.0),
        high_frequency,
        flatness,
        ..TensorLimits::default()
    };
    let mut output = io::BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let values = line?.split_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>()?;
        if values.len() != 64 {
            return Err(format!("an image has 64 values, not {}", values.len()).into());
        }
        let view =
            TensorView { values: &values, shape: &SHAPE, datatype: "FP32", float: true, has_null: false };
        if arguments.is_empty() {
            let flat = flat_shares(&view, 2, FLOOR);
            for ((share, _), (flat, _)) in high_frequency_shares(&view, 2).zip(flat) {
                writeln!(output, "{share:?} {flat:?}")?;
            }
            continue;
        }
        let mut found = Vec::new();
        check_tensor(&view, &limits, &mut found);
        let ids: Vec<_> = found.iter().map(|finding| finding.rule.id).collect();
        writeln!(output, "{}", if ids.is_empty() { "-".to_owned() } else { ids.join(",") })?;
    }
    Ok(output.flush()?)
}
