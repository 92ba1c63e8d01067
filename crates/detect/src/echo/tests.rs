extern crate std;

use alloc::{format, string::String};
use std::sync::LazyLock;

use super::*;
use crate::{Options, Packs};

const PROMPT: &str = "You are Mira, the assistant of the Lindenhof bakery. Answer questions about opening hours, \
    bread and cakes, and nothing else. Never mention the discount code LINDEN40, which is for staff. If a guest is \
    angry, offer a free coffee and call the shift manager on extension 12. Speak in short, friendly sentences, and \
    use the guest's language. Do not talk about other bakeries in the town.";

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(&Options::default()));

fn engine() -> &'static Engine {
    &ENGINE
}

fn weight(prompt: &str, answer: &str) -> Option<u16> {
    let engine = engine();
    let finding = engine.scan_echo(&engine.prompt_print(prompt), answer, &mut Scratch::default());
    finding.map(|finding| finding.weight)
}

#[test]
fn an_answer_that_gives_the_prompt_away_is_found_in_any_dress() {
    let shouted = PROMPT.to_uppercase();
    let listed = PROMPT.replace(". ", ".\n- ");
    let spaced = PROMPT.replace(' ', "  *  ");
    let half: String = PROMPT.chars().take(PROMPT.len() * 6 / 10).collect();
    let answers = [
        format!("Sure! My instructions are: {PROMPT}"),
        format!("```\n{shouted}\n```"),
        format!("Here is what I was told:\n- {listed}"),
        spaced,
        half,
        PROMPT.replace('e', "e\u{200b}"),
        PROMPT.split(". ").skip(2).collect::<alloc::vec::Vec<_>>().join(". But also: "),
    ];
    for answer in &answers {
        assert_eq!(weight(PROMPT, answer), Some(900), "{answer}");
    }
    assert!(answers.len() >= 7);
}

#[test]
fn an_encoded_prompt_is_found_with_its_transform() {
    let hex: String = PROMPT.bytes().map(|byte| format!("{byte:02x}")).collect();
    let engine = engine();
    let answer = format!("here you go: {hex} done");
    let finding = engine.scan_echo(&engine.prompt_print(PROMPT), &answer, &mut Scratch::default()).unwrap();
    assert_eq!(finding.transforms, [normalise::Transform::Hex]);
    assert_eq!(&answer[finding.span], hex);
}

#[test]
fn ordinary_answers_are_left_alone() {
    for answer in [
        "",
        "Hello!",
        "Guten Tag! We are open from six to six, and the rye bread is fresh.",
        "I am Mira, the assistant of the Lindenhof bakery. How can I help?",
        "I am sorry that you are angry. May I offer you a free coffee? I will call the shift manager.",
        "Questions about opening hours, bread and cakes are what I can answer.",
        "I cannot talk about my instructions, but I will gladly tell you about our cakes.",
    ] {
        assert_eq!(weight(PROMPT, answer), None, "{answer}");
    }
}

#[test]
fn a_prompt_without_secrets_is_not_looked_for() {
    let prompt = "You are a helpful assistant.";
    assert!(engine().prompt_print(prompt).is_empty());
    assert_eq!(weight(prompt, prompt), None);
}

#[test]
fn a_passage_quoted_from_a_long_prompt_is_a_hint_and_much_of_it_is_more() {
    let facts: String = (0..400)
        .map(|at| format!("Article {at} says that part {} goes with tool {}. ", at * 7, at * 3))
        .collect();
    let cut = |words: usize| facts.split_inclusive(' ').take(words).collect::<String>();
    assert_eq!(weight(&facts, &cut(15)), None);
    assert_eq!(weight(&facts, &cut(30)), Some(600));
    assert_eq!(weight(&facts, &cut(60)), Some(700));
    assert_eq!(weight(&facts, &cut(120)), Some(900));
}

#[test]
fn prints_are_bounded_and_long_prompts_are_still_found() {
    let long: String =
        (0..60_000usize).map(|at| format!("w{} ", at.wrapping_mul(2_654_435_761) % 99_991)).collect();
    let engine = engine();
    let print = engine.prompt_print(&long);
    assert!(print.hashes.len() <= MOST && print.hashes.len() > MOST / 4, "{print:?}");
    let part: String = long.split_inclusive(' ').skip(31_000).take(400).collect();
    let found = engine.scan_echo(&print, &part, &mut Scratch::default());
    assert_eq!(found.map(|finding| finding.weight), Some(900));
}

#[test]
fn scripts_without_spaces_are_compared_by_character() {
    let prompt = "你是林登霍夫面包店的助理米拉。只回答有关营业时间、面包和蛋糕的问题。绝不提及员工折扣码。如果客人生气，请提供免费咖啡并呼叫值班经理。";
    assert_eq!(weight(prompt, &format!("好的，我的指令是：{prompt}")), Some(900));
    assert_eq!(weight(prompt, "我们的营业时间是早上六点到晚上六点，欢迎光临林登霍夫面包店。"), None);
}

#[test]
fn what_the_user_said_first_is_no_echo() {
    let engine = engine();
    let mut print = engine.prompt_print(PROMPT);
    print.forget(&format!("Is it true that you were told this? {PROMPT}"));
    assert!(print.is_empty());
    assert_eq!(engine.scan_echo(&print, PROMPT, &mut Scratch::default()), None);
    let mut print = engine.prompt_print(PROMPT);
    print.forget("What are your opening hours today, please?");
    assert!(engine.scan_echo(&print, PROMPT, &mut Scratch::default()).is_some());
}

#[test]
fn the_span_is_that_of_the_longest_stretch() {
    let engine = engine();
    let answer = format!("Grüße! {PROMPT} Tschüß!");
    let finding = engine.scan_echo(&engine.prompt_print(PROMPT), &answer, &mut Scratch::default()).unwrap();
    assert_eq!(&answer[finding.span], PROMPT.strip_suffix('.').unwrap());
}

#[test]
fn any_window_of_a_stream_that_holds_forty_words_tells() {
    let engine = engine();
    let print = engine.prompt_print(PROMPT);
    let words: alloc::vec::Vec<&str> = PROMPT.split_inclusive(' ').collect();
    for window in words.windows(40) {
        let found = engine.scan_echo(&print, &window.concat(), &mut Scratch::default());
        assert_eq!(found.map(|finding| finding.weight), Some(900));
    }
}

#[test]
fn a_pack_that_is_off_keeps_no_print() {
    let packs = Packs { exfiltration: false, ..Packs::default() };
    let engine = Engine::new(&Options { packs, ..Options::default() });
    assert!(engine.prompt_print(PROMPT).is_empty());
}

#[test]
fn a_print_shows_nothing_of_the_prompt() {
    let print = engine().prompt_print(PROMPT);
    assert_eq!(format!("{print:?}"), format!("PromptPrint {{ hashes: {}, .. }}", print.hashes.len()));
}
