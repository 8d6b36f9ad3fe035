"""Values whose bounds are hard to write: each list is in the order of its type."""

import datetime
from decimal import Context, Decimal

STEM = "patient-0000001"  # 15 characters, so that the sixteenth, where bounds are cut, is what differs
TEXTS = sorted(
    {
        "",
        " ",
        "a",
        STEM,
        STEM + "1",
        STEM + "1" * 60,
        STEM + "1" * 60 + "2",
        STEM + "2",
        STEM + "é",
        STEM + "é" + "x" * 20,
        STEM + "\x7f\x7f",
        STEM + "\u07ff" + "b",
        STEM + "\ud7ff" * 3,
        STEM + "\ue000",
        STEM + "\uffff" + "a",
        STEM + "😀" * 4,
        STEM + "\U0010ffff",
        STEM + "\U0010ffff" * 9,
        "é" * 8,
        "é" * 15 + "z" * 9,
        "é" * 16,
        "é" * 40,
        "e\u0301" * 9,
        "\ud7ff" * 20,
        "\uffff" * 16 + "a",
        "😀" * 16,
        "😀" * 17,
        "\U0010ffff" * 15 + "a",
        "\U0010ffff" * 16,
        "\U0010ffff" * 40,
    }
)
FLOATS = [
    float("-inf"),
    -1.7976931348623157e308,
    -1.5,
    -5e-324,
    -0.0,
    0.0,
    5e-324,
    0.1,
    1.0,
    1.7976931348623157e308,
    float("inf"),
    float("nan"),
]
MOST = 3.4028234663852886e38  # the largest value of 32 bits
SINGLES = [float("-inf"), -MOST, -1.5, -0.0, 0.0, 0.5, MOST, float("inf"), float("nan")]
INTS = [-(2**31), -(2**31) + 1, -1, 0, 1, 255, 256, 2**31 - 2, 2**31 - 1]
LONGS = [-(2**63), -(2**53) - 1, -1, 0, 1, 2**53, 2**53 + 1, 2**63 - 2, 2**63 - 1]
FEES = [Decimal(text) for text in ("-9999999.99", "-0.01", "0.00", "0.01", "128.00", "9999999.99")]
WIDEST = "9" * 29 + "." + "9" * 9
AMOUNTS = [
    Decimal(text).quantize(Decimal("1e-9"), context=Context(prec=60))
    for text in (
        f"-{WIDEST}",
        "-12345678901234567890",
        "-1",
        "-0.000000001",
        "0",
        "0.000000001",
        "1.5",
        "99999999999999999",
        WIDEST,
    )
]
DAYS = [
    datetime.date.fromisoformat(text)
    for text in ("0001-01-01", "1582-10-10", "1969-12-31", "1970-01-01", "2024-02-29", "9999-12-31")
]
TIMES = [
    datetime.datetime.fromisoformat(text)
    for text in (
        "0001-01-01T00:00:00",
        "1677-09-21T00:12:43.145224",  # the ends of what nanoseconds in 64 bits can say
        "1969-12-31T23:59:59.999999",
        "1970-01-01T00:00:00",
        "2024-02-29T23:59:59.999999",
        "2262-04-11T23:47:16.854776",
        "9999-12-31T23:59:59.999999",
    )
]
RAWS = sorted(
    bytes.fromhex(text)
    for text in ("", "00", "0000", "7f", "80", "ff", "ff" * 16, "ff" * 40, "61" * 20)
)
COLUMNS = {
    "text": ("STRING", TEXTS),
    "num": ("DOUBLE", FLOATS),
    "single": ("FLOAT", SINGLES),
    "small": ("INT", INTS),
    "big": ("BIGINT", LONGS),
    "fee": ("DECIMAL(9, 2)", FEES),
    "amount": ("DECIMAL(38, 9)", AMOUNTS),
    "day": ("DATE", DAYS),
    "moment": ("TIMESTAMP", TIMES),
    "raw": ("BINARY", RAWS),
    "empty": ("STRING", TEXTS),
}


def files(random, number, rows_each):
    """Rows of `number` files: each file draws from a few neighbouring values of each column.

    A column of a file may be all NULL, `empty` is so everywhere; one value in eleven is NULL.
    """
    for file in range(number):
        windows = {}
        for name, (_, values) in COLUMNS.items():
            if name == "empty" or random.random() < 0.12:
                windows[name] = [None]
                continue
            width = random.choice((1, 2, 3, len(values)))
            first = random.randrange(len(values) - width + 1)
            windows[name] = values[first : first + width]
        yield [
            {"id": file * rows_each + n}
            | {
                name: None if random.random() < 0.09 else random.choice(window)
                for name, window in windows.items()
            }
            for n in range(rows_each)
        ]
