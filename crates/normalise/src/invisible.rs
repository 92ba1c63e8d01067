//! Characters that take no place on a screen but break up what a filter compares.

/// Whether `c` is not seen: format and control characters, fillers, variation selectors and tags.
///
/// White space is not among them. Sources: Unicode `Default_Ignorable_Code_Point`, plus the control
/// characters (category Cc) that are no white space and the interlinear annotation marks.
pub(crate) const fn is_invisible(c: char) -> bool {
    match c {
        '\0'..='\u{8}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' => true,
        '\u{ad}' => true,
        ..='\u{34e}' => false,
        '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' => true,
        '\u{180b}'..='\u{180f}' => true,
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' => true,
        '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' => true,
        _ => false,
    }
}

/// The ASCII character that a tag character stands for.
pub(crate) fn tagged(c: char) -> Option<char> {
    match c {
        '\u{e0020}'..='\u{e007e}' => char::from_u32(u32::from(c) - 0xe0000),
        _ => None,
    }
}
