//! The last 24 hours of an incident as bars: of table cells in HTML, which every client shows without asking anybody, and
//! of block characters in text.

use std::fmt::Write as _;

use wire::Severity;

use super::{html::colour, text::wrap};

/// Events by hour, the earliest first.
pub(crate) type Hours = [u64; 24];

/// Height of the highest bar in pixels.
const HEIGHT: u64 = 48;

/// Bars for the text part; the hour of each is told below.
pub(super) fn text(hours: &Hours) -> String {
    const BLOCKS: [char; 9] =
        ['.', '\u{2581}', '\u{2582}', '\u{2583}', '\u{2584}', '\u{2585}', '\u{2586}', '\u{2587}', '\u{2588}'];
    let most = most(hours);
    let block = |count: &u64| {
        let at = usize::try_from((count * 8).div_ceil(most)).unwrap_or(8);
        BLOCKS.get(at).copied().unwrap_or('\u{2588}')
    };
    format!("{}\n{}", hours.iter().map(block).collect::<String>(), wrap(&says(hours), ""))
}

/// Bars for the HTML part. The colour is set as an attribute too: some clients in the dark leave those alone.
pub(super) fn html(hours: &Hours, severity: Severity) -> String {
    let (most, colour) = (most(hours), colour(severity));
    let mut out = "<table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" \
         style=\"table-layout:fixed;border-collapse:separate;border-bottom:1px solid #9aa7b4\"><tr>"
        .to_owned();
    for count in hours {
        let height = (count * HEIGHT).div_ceil(most);
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            "<td valign=\"bottom\" height=\"{HEIGHT}\" style=\"height:{HEIGHT}px;padding:0 1px\">"
        );
        if height > 0 {
            let _ = write!(
                out,
                "<table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\"><tr>\
                 <td class=\"bar\" height=\"{height}\" bgcolor=\"{colour}\" style=\"height:{height}px;line-height:1px;\
                 font-size:1px;background:{colour};border-radius:2px 2px 0 0\">&nbsp;</td></tr></table>"
            );
        }
        out.push_str("</td>");
    }
    let _ = write!(
        out,
        "</tr></table><div class=\"soft\" style=\"font-size:12px;color:#5b6875;margin:4px 0 0\">{}</div>",
        says(hours)
    );
    out
}

fn most(hours: &Hours) -> u64 {
    hours.iter().copied().max().unwrap_or(0).max(1)
}

/// The same in words, for those who see no bars.
fn says(hours: &Hours) -> String {
    let (sum, most) = (hours.iter().sum::<u64>(), most(hours));
    let ago = hours.iter().rev().position(|count| *count == most).unwrap_or(0);
    let when = match ago {
        0 => "in the last hour".to_owned(),
        1 => "an hour before the last".to_owned(),
        ago => format!("{ago} hours before the last"),
    };
    match sum {
        0 => "No event in the last 24 hours.".to_owned(),
        1 => format!("1 event in the last 24 hours, {when}."),
        sum => format!("{sum} events in the last 24 hours, by the hour; most ({most}) {when}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_grow_with_counts_and_words_say_the_same() {
        let mut hours = [0; 24];
        assert_eq!(text(&hours), format!("{}\nNo event in the last 24 hours.\n", ".".repeat(24)));
        (hours[0], hours[22], hours[23]) = (1, 800, 400);
        let line = text(&hours);
        assert!(line.starts_with("\u{2581}...") && line.contains("\u{2588}\u{2584}\n1201 events"), "{line}");
        assert!(line.ends_with("most (800) an hour before the\nlast.\n"), "{line}");
        let html = html(&hours, Severity::High);
        assert_eq!(html.matches("bgcolor").count(), 3);
        assert!(html.contains("height=\"48\" bgcolor") && html.contains("height=\"1\" bgcolor"));
        assert!(!html.contains("src=") && !html.contains("http"));
        text(&[u64::MAX / 100; 24]);
    }
}
