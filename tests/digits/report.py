"""How well the tensor checks tell adversarial digits from clean ones.

usage: report.py BINARY

BINARY is the example `digits` of crates/detect. A logistic regression is trained on scikit-learn's digits; its
gradient has a closed form, so that the attacks are exact: one step along the sign of the loss's gradient (FGSM,
https://arxiv.org/abs/1412.6572) and one along the gradient itself. The baselines are taken from clean training
images, at 1 % false alarms each; all that is reported is measured on images held out. An attacker who knows that
pixels are whole numbers rounds: those are reported too.
"""

import subprocess
import sys

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

# Of the range of pixels, 0 to 16.
LARGEST = 16.0
LINF = (0.5, 1.0, 2.0, 3.0, 4.0)
L2 = (2.0, 4.0, 6.0, 8.0, 12.0)
FALSE_ALARMS = 0.01


def run(binary, images, *arguments):
    lines = "".join(" ".join(repr(float(value)) for value in image) + "\n" for image in images)
    command = [binary, *(repr(float(argument)) for argument in arguments)]
    output = subprocess.run(command, input=lines, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(output) == len(images), f"{len(output)} answers to {len(images)} images"
    return output


def gradients(model, images, labels):
    """The gradient of the cross entropy by the pixels: the class weights under the errors in probability."""
    errors = model.predict_proba(images / LARGEST)
    errors[np.arange(len(labels)), labels] -= 1.0
    return errors @ model.coef_


def attacked(model, images, labels, norm, epsilon):
    gradient = gradients(model, images, labels)
    if norm == "L∞":
        step = epsilon * np.sign(gradient)
    else:
        step = epsilon * gradient / np.maximum(np.linalg.norm(gradient, axis=1, keepdims=True), 1e-12)
    return np.clip(images + step, 0.0, LARGEST)


def main(binary):
    digits = load_digits()
    train, held, train_labels, labels = train_test_split(
        digits.data, digits.target, test_size=0.4, random_state=0, stratify=digits.target
    )
    model = LogisticRegression(max_iter=2000).fit(train / LARGEST, train_labels)

    shares, flat = np.array([[float(part) for part in line.split()] for line in run(binary, train)]).T
    mean = round(float(shares.mean()), 4)
    tolerance = round(float(np.quantile(shares, 1.0 - FALSE_ALARMS)) - mean, 4)
    least = round(float(np.quantile(flat, FALSE_ALARMS)), 4)
    print(f"baseline from {len(train)} clean images, 1 % false alarms for each check:")
    print(f"high_frequency mean {mean}, tolerance {tolerance}; flatness min_share {least}\n")

    def caught(images):
        found = run(binary, images, mean, tolerance, least)
        rough = np.array(["tensor.high-frequency" in line for line in found])
        uneven = np.array(["tensor.flatness" in line for line in found])
        others = {rule for line in found for rule in line.split(",")} - {"-", "tensor.high-frequency", "tensor.flatness"}
        assert not others, others
        return rough, uneven

    right = model.predict(held / LARGEST) == labels

    def row(name, images):
        guessed = model.predict(images / LARGEST)
        rough, uneven = caught(images)
        fooled = right & (guessed != labels)
        of_fooled = f"{(rough | uneven)[fooled].mean():.1%} of {fooled.sum()}" if fooled.any() else ""
        cells = [f"{(guessed == labels).mean():.1%}", *(f"{found.mean():.1%}" for found in (rough, uneven, rough | uneven))]
        print(f"| {name} | {' | '.join(cells)} | {of_fooled} |")

    print("| images | accuracy of the model | high frequency | flatness | either | either, of those that fool the model |")
    print("|---|---|---|---|---|---|")
    row(f"clean, {len(held)} held out (false alarms)", held)
    for norm, sizes in (("L∞", LINF), ("L2", L2)):
        for epsilon in sizes:
            images = attacked(model, held, labels, norm, epsilon)
            row(f"{norm} {epsilon:g}", images)
            if not np.array_equal(images, np.rint(images)):
                row(f"{norm} {epsilon:g}, rounded to whole pixels", np.rint(images))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
