"""What others reached on MNIST."""

# Test error in percent, what reached it, and the source.
PUBLISHED = (
    (
        "0.09",
        "an ensemble of ensembles of CNNs",
        "An, Lee, Park, Yang and So 2020, An Ensemble of Simple Convolutional Neural Network "
        "Models for MNIST Digit Recognition, arXiv:2008.10400",
    ),
    (
        "0.13",
        "an ensemble of CNNs whose branches end in vectors",
        "Byerly, Kalganova and Dear 2020, No Routing Needed Between Capsules, arXiv:2001.09136",
    ),
    (
        "0.17",
        "the best single one of these",
        "Byerly, Kalganova and Dear 2020, No Routing Needed Between Capsules, arXiv:2001.09136",
    ),
    (
        "0.21",
        "five CNNs with DropConnect that vote",
        "Wan, Zeiler, Zhang, LeCun and Fergus 2013, Regularization of Neural Networks using "
        "DropConnect, ICML, PMLR 28(3)",
    ),
    (
        "0.23",
        "a committee of 35 CNNs",
        "Ciresan, Meier and Schmidhuber 2012, Multi-column Deep Neural Networks for Image "
        "Classification, arXiv:1202.2745",
    ),
    (
        "0.32",
        "3-D Grid LSTM",
        "Kalchbrenner, Danihelka and Graves 2015, Grid Long Short-Term Memory, arXiv:1507.01526",
    ),
    (
        "0.45",
        "ReNet",
        "Visin, Kastner, Cho, Matteucci, Courville and Bengio 2015, ReNet: A Recurrent Neural "
        "Network Based Alternative to Convolutional Networks, arXiv:1505.00393",
    ),
    (
        "1.93",
        "2 x LSTM 100, columns, 10 epochs: 98.07 %, a mean over batches",
        "the article that this project implements",
    ),
)
