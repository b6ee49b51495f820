//! Cutting lists into pages: by number, and by bytes so that a reply fits its frame.

use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::limits;
use manushya_protocol::v1::common::{Listed, Page};
use serde::Serialize;

/// How many items a page holds.
///
/// # Errors
///
/// `INVALID_ARGUMENT` if it is zero or above the limit.
pub fn limit(page: &Page) -> Result<usize, WireError> {
    let limit = page.limit.unwrap_or(limits::PAGE_LIMIT_DEFAULT);
    if limit == 0 || limit > limits::PAGE_LIMIT_MAX {
        let message = format!("limit must be 1 to {}", limits::PAGE_LIMIT_MAX);
        return Err(WireError::new(ErrorCode::InvalidArgument, message)
            .hint("use --all to read everything, page by page"));
    }
    Ok(limit as usize)
}

/// The error for a cursor that is none.
pub fn bad_cursor() -> WireError {
    WireError::new(
        ErrorCode::InvalidArgument,
        "the cursor is not one of this list",
    )
    .hint("take `next` of the page before, unchanged")
}

/// Cuts the page that follows `page.cursor` out of a whole list. `key` gives each item's place as
/// text that ascends along the list; it is what cursors are made of, so that a list that changes
/// between two pages neither repeats nor skips what stayed.
///
/// # Errors
///
/// `INVALID_ARGUMENT` for a limit that is not one.
pub fn cut<T, V: Serialize>(
    items: impl Iterator<Item = T>,
    page: &Page,
    key: impl Fn(&T) -> String,
    view: impl Fn(&T) -> V,
) -> Result<Listed<V>, WireError> {
    let limit = limit(page)?;
    let mut total = 0;
    let mut cut = Vec::new();
    let mut bytes = 0;
    let mut last = None;
    let mut more = false;
    for item in items {
        total += 1;
        if page
            .cursor
            .as_ref()
            .is_some_and(|cursor| key(&item) <= *cursor)
        {
            continue;
        }
        if more || cut.len() == limit || bytes > limits::PAGE_BYTES_MAX {
            more = true;
            continue;
        }
        let shown = view(&item);
        bytes += json_bytes(&shown);
        last = Some(key(&item));
        cut.push(shown);
    }
    Ok(Listed {
        items: cut,
        next: last.filter(|_| more),
        total,
    })
}

/// How many bytes a value takes as JSON.
pub fn json_bytes(value: &impl Serialize) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // A value that does not serialise counts as a full page, and fails where it is sent.
    serde_json::to_writer(&mut count, value).map_or(limits::PAGE_BYTES_MAX, |()| count.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(limit: u32, cursor: Option<&str>) -> Page {
        Page {
            limit: Some(limit),
            cursor: cursor.map(str::to_owned),
        }
    }

    #[test]
    fn pages_cover_the_list_once() {
        let numbers = 10..35_u32;
        let mut seen = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let page = page(7, cursor.as_deref());
            let cut = cut(numbers.clone(), &page, u32::to_string, |n| *n).unwrap();
            assert_eq!(cut.total, 25);
            seen.extend(cut.items);
            cursor = cut.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, numbers.collect::<Vec<_>>());
    }

    #[test]
    fn bad_limits_are_refused() {
        assert!(limit(&page(0, None)).is_err());
        assert!(limit(&page(1001, None)).is_err());
    }
}
