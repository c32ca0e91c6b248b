//! A receipt as PDF: A4, one page or as many as it takes. The same receipt gives the same bytes.

use pdf_writer::{Content, Finish, Name, Pdf, Rect, Ref, Str, TextStr};

use crate::font::{Font, Glyph, width, wrap};
use crate::receipt::{COLUMNS, Line, Piece, Receipt, TITLE, TOTAL};

/// A4, in points.
const PAGE: (f32, f32) = (595.28, 841.89);
/// 2 cm: what no printer cuts off.
const MARGIN: f32 = 56.7;
const LEFT: f32 = MARGIN;
const RIGHT: f32 = PAGE.0 - MARGIN;
const TOP: f32 = PAGE.1 - MARGIN;
/// Below it is the number of the page.
const BOTTOM: f32 = MARGIN + 26.0;

/// Of names, sentences and tables, in points.
const BODY: f32 = 10.5;
const SMALL: f32 = 9.0;
/// From line to line.
const LEADING: f32 = 15.0;
/// Between the edge of a column and its text.
const PADDING: f32 = 6.0;
const CODE_WIDTH_MAX: f32 = 96.0;
const SIGNATURE_WIDTH: f32 = 260.0;

const BLACK: f32 = 0.0;
const GREY: f32 = 0.38;
const RULE: f32 = 0.72;
const SHADE: f32 = 0.94;

/// The file.
pub(crate) fn pdf(receipt: &Receipt) -> Vec<u8> {
    let mut paper = Paper { pages: vec![Content::new()], y: TOP };
    paper.head(receipt);
    paper.sentence(&receipt.sentence());
    paper.table(receipt);
    paper.closing(receipt);
    paper.number_pages();
    write(paper.pages, receipt)
}

/// Pages under the pen. `y` goes down.
struct Paper {
    pages: Vec<Content>,
    y: f32,
}

/// Where the columns of the table are.
struct Columns {
    code: f32,
    description: f32,
    description_width: f32,
    /// The right edge of the amounts.
    amount: f32,
}

impl Columns {
    /// As wide as the widest code and amount, the rest for the descriptions.
    fn of(receipt: &Receipt) -> Self {
        let widest = |texts: &mut dyn Iterator<Item = &str>| {
            texts.map(|text| width(&Font::Bold.set(text), BODY)).fold(0.0, f32::max) + 2.0 * PADDING
        };
        let code = widest(&mut receipt.lines.iter().map(|line| line.code.as_str()).chain([COLUMNS[0]])).min(CODE_WIDTH_MAX);
        let total = receipt.total.figures();
        let amount = widest(&mut [total.as_str(), COLUMNS[2]].into_iter());
        let description = LEFT + code + PADDING;
        Self { code: LEFT + PADDING, description, description_width: RIGHT - amount - PADDING - description, amount: RIGHT - PADDING }
    }

    /// How wide a code may be.
    fn code_width(&self) -> f32 {
        self.description - self.code - PADDING
    }
}

impl Paper {
    /// The number and the sum on the right, whom it is from on the left.
    fn head(&mut self, receipt: &Receipt) {
        let label = Font::Bold.set(&receipt.label());
        let total = Font::Bold.set(&receipt.total.figures());
        self.line(&Font::Bold.set(TITLE), 24.0, Align::Right(RIGHT), TOP - 18.0, BLACK);
        self.line(&label, 12.0, Align::Right(RIGHT), TOP - 36.0, GREY);
        let box_width = width(&total, 14.0) + 24.0;
        self.shade(RIGHT - box_width, TOP - 74.0, box_width, 26.0);
        self.line(&total, 14.0, Align::Right(RIGHT - 12.0), TOP - 66.0, BLACK);

        let room = RIGHT - LEFT - box_width.max(130.0) - 24.0;
        self.y = TOP - 14.0;
        self.lines(&Font::Bold.set(&receipt.clinic), 14.0, 18.0, room, BLACK);
        self.y -= 1.0;
        for detail in receipt.clinic_details() {
            self.lines(&Font::Regular.set(&detail), SMALL, 12.5, room, GREY);
        }
        self.y = (self.y + 2.0).min(TOP - 86.0);
        self.rule(LEFT, RIGHT, 1.2, BLACK);
        self.y -= 30.0;
    }

    /// Who paid how much, and what for.
    fn sentence(&mut self, pieces: &[Piece]) {
        let of = |piece: &Piece| {
            let font = if piece.strong { Font::Bold } else { Font::Regular };
            let mut glyphs = font.set(&piece.text);
            // An amount stays on one line: its space is the one that does not break.
            if piece.text.starts_with("R$ ") {
                glyphs[2].1 = NO_BREAK_SPACE;
            }
            glyphs
        };
        self.lines(&pieces.iter().flat_map(of).collect::<Vec<_>>(), 11.5, 18.0, RIGHT - LEFT, BLACK);
        self.y -= 14.0;
    }

    fn table(&mut self, receipt: &Receipt) {
        let columns = Columns::of(receipt);
        self.table_head(&columns);
        for line in &receipt.lines {
            self.row(line, &columns, receipt);
        }
        // The sum, and what comes below it, stay together.
        if self.y - 30.0 - closing_height(receipt) < BOTTOM {
            self.next_page(receipt);
        }
        self.y -= 22.0;
        self.line(&Font::Bold.set(TOTAL), 11.5, Align::Left(columns.code), self.y, BLACK);
        self.line(&Font::Bold.set(&receipt.total.figures()), 11.5, Align::Right(columns.amount), self.y, BLACK);
        self.y -= 9.0;
        self.rule(LEFT, RIGHT, 1.2, BLACK);
    }

    fn table_head(&mut self, columns: &Columns) {
        self.shade(LEFT, self.y - 22.0, RIGHT - LEFT, 22.0);
        self.y -= 15.0;
        let heads = [Align::Left(columns.code), Align::Left(columns.description), Align::Right(columns.amount)];
        for (text, align) in COLUMNS.into_iter().zip(heads) {
            self.line(&Font::Bold.set(text), SMALL, align, self.y, GREY);
        }
        self.y -= 7.0;
    }

    fn row(&mut self, line: &Line, columns: &Columns, receipt: &Receipt) {
        let code = wrap(&Font::Regular.set(&line.code), BODY, columns.code_width());
        let description = wrap(&Font::Regular.set(&line.description), BODY, columns.description_width);
        let height = code.len().max(description.len()) as f32 * LEADING + 8.0;
        if self.y - height < BOTTOM {
            self.next_page(receipt);
            self.table_head(columns);
        }
        let first = self.y - 15.5;
        for (text, x) in [(code, columns.code), (description, columns.description)] {
            for (index, part) in text.iter().enumerate() {
                self.line(part, BODY, Align::Left(x), first - index as f32 * LEADING, BLACK);
            }
        }
        self.line(&Font::Regular.set(&line.amount.figures()), BODY, Align::Right(columns.amount), first, BLACK);
        self.y -= height;
        self.rule(LEFT, RIGHT, 0.5, RULE);
    }

    /// Where, when, and the place to sign.
    fn closing(&mut self, receipt: &Receipt) {
        self.y -= 34.0;
        self.lines(&Font::Regular.set(&receipt.place_and_date()), 11.5, LEADING, RIGHT - LEFT, BLACK);
        self.y -= 50.0;
        let middle = LEFT.midpoint(RIGHT);
        self.rule(middle - SIGNATURE_WIDTH / 2.0, middle + SIGNATURE_WIDTH / 2.0, 0.8, BLACK);
        self.y -= 14.0;
        for line in wrap(&Font::Regular.set(&receipt.clinic), BODY, SIGNATURE_WIDTH) {
            self.line(&line, BODY, Align::Middle(middle), self.y, BLACK);
            self.y -= LEADING;
        }
    }

    /// A new page, which says what it belongs to.
    fn next_page(&mut self, receipt: &Receipt) {
        self.pages.push(Content::new());
        self.y = TOP - 10.0;
        self.line(&Font::Bold.set(&format!("{TITLE} {}", receipt.label())), BODY, Align::Left(LEFT), self.y, GREY);
        self.y -= 8.0;
        self.rule(LEFT, RIGHT, 1.2, BLACK);
        self.y -= 14.0;
    }

    /// One page needs no number.
    fn number_pages(&mut self) {
        let count = self.pages.len();
        for index in (0..count).filter(|_| count > 1) {
            let text = Font::Regular.set(&format!("página {} de {count}", index + 1));
            show(&mut self.pages[index], &text, SMALL, RIGHT - width(&text, SMALL), MARGIN + 4.0, GREY);
        }
    }

    /// A text of as many lines as it takes, from `y` down.
    fn lines(&mut self, text: &[Glyph], size: f32, leading: f32, max: f32, grey: f32) {
        for line in wrap(text, size, max) {
            self.line(&line, size, Align::Left(LEFT), self.y, grey);
            self.y -= leading;
        }
    }

    fn line(&mut self, text: &[Glyph], size: f32, align: Align, y: f32, grey: f32) {
        let x = match align {
            Align::Left(x) => x,
            Align::Middle(x) => x - width(text, size) / 2.0,
            Align::Right(x) => x - width(text, size),
        };
        show(self.page(), text, size, x, y, grey);
    }

    /// A rule at `y`.
    fn rule(&mut self, from: f32, to: f32, thickness: f32, grey: f32) {
        let y = self.y;
        self.page().set_stroke_gray(grey).set_line_width(thickness).move_to(from, y).line_to(to, y).stroke();
    }

    fn shade(&mut self, x: f32, y: f32, width: f32, height: f32) {
        self.page().set_fill_gray(SHADE).rect(x, y, width, height).fill_nonzero();
    }

    fn page(&mut self) -> &mut Content {
        self.pages.last_mut().expect("there is always a page")
    }
}

/// Which point of a line is where.
#[derive(Clone, Copy)]
enum Align {
    Left(f32),
    Middle(f32),
    Right(f32),
}

/// A space of WinAnsiEncoding that `wrap` takes for a letter.
const NO_BREAK_SPACE: u8 = 0xa0;

/// What `closing` takes.
fn closing_height(receipt: &Receipt) -> f32 {
    let lines = |text: &str, size: f32, max: f32| wrap(&Font::Regular.set(text), size, max).len() as f32;
    let date = lines(&receipt.place_and_date(), 11.5, RIGHT - LEFT);
    34.0 + date * LEADING + 50.0 + 14.0 + lines(&receipt.clinic, BODY, SIGNATURE_WIDTH) * LEADING
}

/// Shows one line: runs of one font after the other.
fn show(page: &mut Content, text: &[Glyph], size: f32, x: f32, y: f32, grey: f32) {
    if text.is_empty() {
        return;
    }
    page.set_fill_gray(grey).begin_text().next_line(x, y);
    for run in text.chunk_by(|a, b| a.0 == b.0) {
        let bytes: Vec<u8> = run.iter().map(|(_, byte)| if *byte == NO_BREAK_SPACE { b' ' } else { *byte }).collect();
        page.set_font(resource(run[0].0), size).show(Str(&bytes));
    }
    page.end_text();
}

/// What the pages call a font.
fn resource(font: Font) -> Name<'static> {
    match font {
        Font::Regular => Name(b"F0"),
        Font::Bold => Name(b"F1"),
    }
}

/// The objects of the file. It holds no dates and no random ids: what is in it comes from the receipt.
fn write(pages: Vec<Content>, receipt: &Receipt) -> Vec<u8> {
    let mut free = 1..;
    let mut id = || Ref::new(free.next().unwrap_or(i32::MAX));
    let (catalog, tree, info) = (id(), id(), id());
    let fonts = Font::ALL.map(|font| (font, id()));
    let pages: Vec<_> = pages.into_iter().map(|content| (id(), id(), content)).collect();

    let mut pdf = Pdf::new();
    let mut root = pdf.catalog(catalog);
    root.pages(tree).lang(TextStr("pt-BR"));
    root.viewer_preferences().display_doc_title(true);
    root.finish();
    pdf.document_info(info)
        .title(TextStr(&format!("Recibo {}", receipt.label())))
        .author(TextStr(&receipt.clinic))
        .producer(TextStr("zelo"));
    pdf.pages(tree).kids(pages.iter().map(|(page, ..)| *page)).count(pages.len() as i32);
    for (page_id, content_id, content) in pages {
        let mut page = pdf.page(page_id);
        page.parent(tree).media_box(Rect::new(0.0, 0.0, PAGE.0, PAGE.1)).contents(content_id);
        let mut resources = page.resources();
        let mut names = resources.fonts();
        for (font, font_id) in fonts {
            names.pair(resource(font), font_id);
        }
        names.finish();
        resources.finish();
        page.finish();
        pdf.stream(content_id, &content.finish());
    }
    for (font, font_id) in fonts {
        let mut object = pdf.type1_font(font_id);
        object.base_font(Name(font.name().as_bytes())).encoding_predefined(Name(b"WinAnsiEncoding"));
        object.first_char(0x20).last_char(0xff).widths(font.widths().iter().map(|width| f32::from(*width)));
    }
    pdf.finish()
}
