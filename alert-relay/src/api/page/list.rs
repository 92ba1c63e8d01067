//! Incidents as a page for a person, the latest first, with a form that filters.

use std::fmt::Write as _;

use axum::{
    extract::{Query as RawQuery, State as Handed},
    response::Response,
};
use wire::{Category, Severity};

use super::{Problem, Shared, badge, begin, serve, text};
use crate::{
    acknowledge::percent,
    alert::{advice, clean::escape},
    api::{
        incidents::filter,
        operation::Operation,
        query::{Query, cursor},
    },
    clock::{Civil, now_ms},
    incident::{Incident, State},
    store::{self, IncidentPage},
};

/// Incidents in a page.
const PAGE: usize = 50;
/// The times that the form offers, in hours.
const TIMES: [(&str, &str); 5] =
    [("1", "hour"), ("24", "24 hours"), ("168", "7 days"), ("720", "30 days"), ("8760", "year")];

/// `GET /incidents`
pub(in crate::api) async fn incidents(
    Handed(shared): Handed<Shared>,
    RawQuery(given): RawQuery<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    // A form sends what is left empty too.
    let given = given.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let query = Query::check(Operation::IncidentsPage, given)?;
    let filter = filter(&query, now_ms())?;
    let page = shared.store.read_for_people(move |db| store::incident_page(db, &filter, PAGE)).await?;
    serve("'self'", |nonce| render(&page, &query, nonce))
}

fn render(page: &IncidentPage, query: &Query, nonce: &str) -> String {
    let mut out = String::new();
    begin(&mut out, "Incidents", nonce);
    out.push_str("<h1>Incidents</h1><section>");
    form(&mut out, query);
    out.push_str("</section><section>");
    if page.incidents.is_empty() {
        out.push_str("<p class=\"soft\">None.</p>");
    } else {
        out.push_str("<ol class=\"list\">");
        for incident in &page.incidents {
            item(&mut out, incident);
        }
        out.push_str("</ol>");
    }
    pages(&mut out, page, query);
    out.push_str("</section></main></body></html>");
    out
}

fn form(out: &mut String, query: &Query) {
    out.push_str("<form method=\"get\" action=\"/incidents\">");
    let states = State::ALL.map(|state| (state.as_str(), state.as_str()));
    select(out, query, ("state", "State"), "any", &states);
    let severities = Severity::ALL.map(|severity| (severity.as_str(), severity.as_str()));
    select(out, query, ("severity", "Severity at least"), "any", &severities);
    let categories = Category::ALL.map(|category| (category.as_str(), advice::title(category)));
    select(out, query, ("category", "Category"), "any", &categories);
    select(out, query, ("hours", "Within the last"), "any time", &TIMES);
    for (name, label) in [("model", "Model"), ("client", "Caller"), ("campaign", "Campaign")] {
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            "<label>{label}<input name=\"{name}\" value=\"{}\"></label>",
            escape(query.text(name).unwrap_or_default())
        );
    }
    out.push_str("<button type=\"submit\">Show</button></form>");
}

fn select(out: &mut String, query: &Query, (name, label): (&str, &str), any: &str, options: &[(&str, &str)]) {
    let chosen = query.text(name).unwrap_or_default();
    let _ = write!(out, "<label>{label}<select name=\"{name}\"><option value=\"\">{any}</option>");
    for (value, shown) in options {
        let selected = if *value == chosen { " selected" } else { "" };
        let _ = write!(out, "<option value=\"{value}\"{selected}>{shown}</option>");
    }
    // A link may ask for what the form does not offer, such as another number of hours.
    if !chosen.is_empty() && options.iter().all(|(value, _)| *value != chosen) {
        let value = escape(chosen);
        let _ = write!(out, "<option value=\"{value}\" selected>{value}</option>");
    }
    out.push_str("</select></label>");
}

fn item(out: &mut String, incident: &Incident) {
    let key = &incident.key;
    let spread = match incident.spread {
        0 | 1 => String::new(),
        spread => format!(", {spread} callers send the same"),
    };
    let _ = write!(
        out,
        "<li>{} <a href=\"/incidents/{}\">{}: {}</a><br>{}, last seen {}<br>\
         <span class=\"soft\">{} events ({} refused), caller <a href=\"/incidents?client={}\">{}</a>{spread}</span></li>",
        badge(incident.severity.as_str()),
        incident.id,
        advice::title(key.category),
        text(&key.model),
        incident.state.as_str(),
        Civil::of(incident.last_ms).human(),
        incident.count,
        incident.refused,
        percent(&key.client),
        text(&key.client),
    );
}

/// Links to the first page and to the next, with the same filters.
fn pages(out: &mut String, page: &IncidentPage, query: &Query) {
    let next = page.incidents.last().filter(|_| page.more).map(|last| cursor(last.last_ms, last.id));
    let link = |out: &mut String, before: &str, label: &str| {
        let names = Operation::IncidentsPage.spec().query.iter().map(|parameter| parameter.name);
        let kept = names.filter(|name| *name != "before").filter_map(|name| Some((name, query.text(name)?)));
        let given = kept.chain((!before.is_empty()).then_some(("before", before)));
        let query: Vec<String> = given.map(|(name, value)| format!("{name}={}", percent(value))).collect();
        let _ = write!(out, "<a href=\"/incidents?{}\">{label}</a>", query.join("&amp;"));
    };
    if query.text("before").is_none() && next.is_none() {
        return;
    }
    out.push_str("<p class=\"pages\">");
    link(out, "", "Latest");
    if let Some(next) = &next {
        link(out, next, "Older");
    }
    out.push_str("</p>");
}
