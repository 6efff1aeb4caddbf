"""Records of points that never ran."""


def make_record(random=None, epochs=2, analyses=None):
    """A record with fixed numbers, or random ones."""
    test, val = (0.875, 0.75) if random is None else random.uniform(0.5, 1, size=2)
    return {
        "result": {
            "test_accuracy": float(test),
            "val_accuracy": float(val),
            "parameters": 12345,
            "train_seconds": 2.5 if random is None else float(random.uniform(1, 90)),
            "images_per_second": 1500.0 if random is None else float(random.uniform(1, 90)),
        },
        "curve": [
            {"epoch": epoch, "loss": 1 / epoch, "val_accuracy": float(val) * epoch / epochs}
            for epoch in range(1, epochs + 1)
        ],
        "analyses": analyses or {},
    }
