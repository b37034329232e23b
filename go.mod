module github.com/postern-chat/postern

go 1.26.8
