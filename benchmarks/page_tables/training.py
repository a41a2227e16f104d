"""Tables of how the weights were trained, and of what a step of training costs."""

from page_tables.common import cards, result, table


def weights() -> list[str]:
    """How each set of weights was trained."""
    rows = []
    for card in cards():
        plan = card["training"]
        cost = card["kmac_per_pixel"]
        pictures = plan["steps"] * plan["batch"]
        before = plan.get("origin")
        earlier = f" after {before['steps']:,} in {before['seconds'] / 60:.0f} min" if before else ""
        rows.append((
            card["name"], f"{plan['steps']:,} in {plan['seconds'] / 60:.0f} min{earlier}",
            f"{pictures:,} of {plan['patch']}²",
            plan["device"], f"{plan['learning_rate']:g}",
            f"{plan.get('lmbda', 'all' if 'entropy' in cost else '')}", f"{plan['held_score']:.4g}",
            f"{cost['synthesis']:.1f} + {cost.get('entropy', 0):.1f}" if "synthesis" in cost else
            ", ".join(f"{part} {kmac:.1f}" for part, kmac in cost.items()),
        ))  # fmt: skip
    head = ("weights", "steps", "patches", "device", "rate", "lambda", "held-out loss", "decode kMAC/px")
    return table(head, rows)


def training_speed() -> list[str]:
    """How fast training sees pixels and what it learns from them, beside an older build."""
    rows = [
        (
            row["build"], str(row["seed"]), f"{row['batch']}", f"{row['gigapixels']:.3f}",
            f"{row['gigapixels_per_hour']:.2f}", f"{row['held_score']:.4f}",
        )
        for row in result("training-loop.json")["rows"]
    ]  # fmt: skip
    return table(("build", "seed", "batch", "gigapixels", "gigapixels per core-hour", "held-out loss"), rows)


def training_profile() -> list[str]:
    """What a training step spends its time on."""
    document = result("training-loop.json")
    whole = sum(document["milliseconds_per_step"].values())
    rows = [(kind, f"{100 * part / whole:.0f} %") for kind, part in document["milliseconds_per_step"].items()]
    return table((f"a step of {document['batch']} patches", "share of its time"), rows)


TABLES = {"weights": weights, "training speed": training_speed, "training profile": training_profile}
