<?php
// The tutorial's way: read the webhook, mail every member who is offline through the
// e-mail provider's API, one call after another, then answer. Nothing is verified and
// nothing is stored.
$event = json_decode(file_get_contents('php://input'), true);
if (($event['category'] ?? '') === 'group_channel:message_send') {
    $sender = $event['sender'];
    foreach ($event['members'] as $member) {
        if ($member['is_online'] || $member['user_id'] === $sender['user_id']) {
            continue;
        }
        $call = curl_init(getenv('MAILGUN') . '/v3/mg.example.com/messages');
        curl_setopt_array($call, [
            CURLOPT_USERPWD => 'api:key',
            CURLOPT_POST => true,
            CURLOPT_POSTFIELDS => http_build_query([
                'from' => $sender['nickname'] . ' <chat@mg.example.com>',
                'to' => $member['user_id'] . '@people.example',
                'subject' => 'New message in ' . $event['channel']['name'],
                'text' => $event['payload']['message'],
            ]),
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_TIMEOUT => 30,
        ]);
        curl_exec($call);
        curl_close($call);
    }
}
echo 'ok';
