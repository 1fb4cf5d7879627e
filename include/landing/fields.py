"""The fields of lines, by RFC 4180 and as shops write it: a quote inside of a field is text."""

import polars as pl

from include.landing.formats import Format


def fields(texts: pl.Series, form: Format) -> pl.DataFrame:
    """A column for each column of the header, named by its place: the field with its quotes. All are null
    where a text does not have as many fields as the header, or has a line break outside of quotes."""
    quoted = texts.str.contains('"', literal=True)
    if not quoted.any():
        return plain_fields(texts, form)
    if quoted.all():
        return quoted_fields(texts, form)
    parts = pl.concat([plain_fields(texts.filter(~quoted), form), quoted_fields(texts.filter(quoted), form)])
    order = pl.concat([(~quoted).arg_true(), quoted.arg_true()])
    return parts.select(pl.all().gather(order.arg_sort()))


def plain_fields(texts: pl.Series, form: Format) -> pl.DataFrame:
    """The fields of texts without quotes."""
    split = texts.str.split_exact(form.delimiter, form.width).struct.unnest()
    split.columns = [str(place) for place in range(form.width + 1)]
    last, more = pl.col(str(form.width - 1)), pl.col(str(form.width))
    is_whole = last.is_not_null() & more.is_null()
    return split.select(pl.when(is_whole).then(pl.col(str(place))).name.keep() for place in range(form.width))


def quoted_fields(texts: pl.Series, form: Format) -> pl.DataFrame:
    """The fields of texts in which quotes may hold delimiters and line breaks."""
    rest, found = texts, list[pl.Series]()
    for place in range(form.width):
        parts = rest.str.extract_groups(field_and_rest(form.delimiter)).struct.unnest()
        found.append(parts["field"].alias(str(place)))
        rest = parts["rest"]
    is_whole = found[-1].is_not_null() & rest.is_null()
    return pl.DataFrame(found).select(pl.when(is_whole).then(pl.all()))


def field_and_rest(delimiter: str) -> str:
    """The pattern of a field, and of the text after its delimiter. A field is in quotes, with the quotes
    inside doubled, or does not begin with a quote."""
    d = f"\\{delimiter}" if delimiter == "|" else delimiter
    in_quotes, bare = r' *"(?:[^"]|"")*" *', rf'[^"{d}\r\n][^{d}\r\n]*'
    return rf"^(?P<field>{in_quotes}|{bare}|)(?:{d}(?P<rest>[\s\S]*))?$"


def is_record(texts: pl.Series, form: Format) -> pl.Series:
    """Whether each text has the fields of a record."""
    return fields(texts, form).get_column("0").is_not_null()


def unquoted(field: pl.Expr) -> pl.Expr:
    """The value of a field."""
    trimmed = field.str.strip_chars(" ")
    within = trimmed.str.slice(1, trimmed.str.len_chars() - 2).str.replace_all('""', '"', literal=True)
    return pl.when(trimmed.str.starts_with('"')).then(within).otherwise(field)
