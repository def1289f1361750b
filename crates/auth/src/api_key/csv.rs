//! The CSV files from which the service imports keys.

use ::csv::{ReaderBuilder, StringRecord, Trim};

use super::file::{Entry, Fault};

/// The columns that are looked at, in lower case. Others are ignored, as in the service.
const NAME: &str = "name";
const KEY: &str = "key";
const DESCRIPTION: &str = "description";
const ENABLED: &str = "enabled";
const USAGE_PLANS: &str = "usageplanids";
/// These two are this project's own.
const ID: &str = "id";
const PREVIOUS_KEY: &str = "previouskey";

pub(super) fn parse(text: &str) -> Result<Vec<Entry>, Fault> {
    let mut reader = ReaderBuilder::new()
        .flexible(true)
        .trim(Trim::All)
        .from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let columns = Columns::of(reader.headers().map_err(|error| fault(&error))?);
    columns.needed(NAME)?;
    columns.needed(KEY)?;
    let mut entries = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|error| fault(&error))?;
        let line = row.position().map_or(0, ::csv::Position::line);
        let place = format!("line {line}");
        let field = |column| columns.field(&row, column);
        let enabled = match field(ENABLED) {
            None => true,
            Some(word) if word.eq_ignore_ascii_case("true") => true,
            Some(word) if word.eq_ignore_ascii_case("false") => false,
            Some(_) => {
                let problem = "the column `Enabled` must be `true` or `false`";
                return Err(Fault::new(place, problem));
            }
        };
        let plans = field(USAGE_PLANS).unwrap_or_default().split(',');
        let plans = plans.map(str::trim).filter(|plan| !plan.is_empty());
        entries.push(Entry {
            id: field(ID).map(str::to_owned),
            value: field(KEY).map(str::to_owned),
            previous: field(PREVIOUS_KEY).map(str::to_owned),
            name: field(NAME).map(str::to_owned),
            description: field(DESCRIPTION).map(str::to_owned),
            customer_id: None,
            enabled,
            usage_plans: plans.map(str::to_owned).collect(),
            tags: Vec::new(),
            place,
        });
    }
    Ok(entries)
}

/// Where each column stands.
struct Columns(Vec<String>);

impl Columns {
    fn of(header: &StringRecord) -> Self {
        Self(header.iter().map(str::to_ascii_lowercase).collect())
    }

    fn needed(&self, name: &str) -> Result<(), Fault> {
        if self.0.iter().any(|column| column == name) {
            return Ok(());
        }
        let problem = format!("there is no column `{name}`; the first line names the columns");
        Err(Fault::new("line 1", problem))
    }

    /// The field of a column, unless it is empty.
    fn field<'r>(&self, row: &'r StringRecord, name: &str) -> Option<&'r str> {
        let at = self.0.iter().position(|column| column == name)?;
        row.get(at).filter(|field| !field.is_empty())
    }
}

/// The library's words without the data, which may be a key.
fn fault(error: &::csv::Error) -> Fault {
    let place = match error.position() {
        Some(position) => format!("line {}", position.line()),
        None => "the file".to_owned(),
    };
    let problem = match error.kind() {
        ::csv::ErrorKind::Utf8 { .. } => "is not UTF-8",
        _ => "is no CSV",
    };
    Fault::new(place, problem)
}
